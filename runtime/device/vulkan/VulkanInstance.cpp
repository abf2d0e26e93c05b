//===- VulkanInstance.cpp - An instance and its validation log ------------===//

#include "runtime/device/vulkan/VulkanInstance.h"

#include <algorithm>
#include <cstring>

using namespace quern;
using namespace quern::vulkan;

static constexpr const char *validationLayer = "VK_LAYER_KHRONOS_validation";

void VulkanDiagnostics::add(std::string message) {
  std::lock_guard<std::mutex> lock(mutex);
  if (count++ == 0)
    first = std::move(message);
}

uint64_t VulkanDiagnostics::getCount() const {
  std::lock_guard<std::mutex> lock(mutex);
  return count;
}

Status VulkanDiagnostics::check() const {
  std::lock_guard<std::mutex> lock(mutex);
  if (count == 0)
    return Status::ok();
  return internalError("vulkan validation: " + first + " (message 1 of " +
                       std::to_string(count) + ")");
}

static VKAPI_ATTR VkBool32 VKAPI_CALL onMessage(
    VkDebugUtilsMessageSeverityFlagBitsEXT, VkDebugUtilsMessageTypeFlagsEXT,
    const VkDebugUtilsMessengerCallbackDataEXT *data, void *userData) {
  static_cast<VulkanDiagnostics *>(userData)->add(
      data->pMessage ? data->pMessage : "(no text)");
  return VK_FALSE;
}

static bool hasValidationLayer(const VulkanFunctions &functions) {
  uint32_t count = 0;
  if (functions.vkEnumerateInstanceLayerProperties(&count, nullptr) !=
      VK_SUCCESS)
    return false;
  std::vector<VkLayerProperties> layers(count);
  if (functions.vkEnumerateInstanceLayerProperties(&count, layers.data()) < 0)
    return false;
  return std::any_of(layers.begin(), layers.end(), [](const auto &layer) {
    return std::strcmp(layer.layerName, validationLayer) == 0;
  });
}

Result<std::unique_ptr<VulkanInstance>>
VulkanInstance::create(bool validation,
                       std::shared_ptr<VulkanDiagnostics> diagnostics) {
  std::unique_ptr<VulkanInstance> instance(new VulkanInstance);
  QUERN_ASSIGN_OR_RETURN(instance->functions, loadVulkan());
  instance->diagnostics = std::move(diagnostics);
  VulkanFunctions &functions = instance->functions;

  uint32_t available = VK_API_VERSION_1_0;
  (void)functions.vkEnumerateInstanceVersion(&available);
  if (available < VK_API_VERSION_1_1)
    return unsupported("the Vulkan loader is version 1.0, needs 1.1");
  instance->apiVersion = std::min(available, VK_API_VERSION_1_3);

  VkApplicationInfo application{VK_STRUCTURE_TYPE_APPLICATION_INFO};
  application.pApplicationName = "quern";
  application.apiVersion = instance->apiVersion;
  VkInstanceCreateInfo info{VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO};
  info.pApplicationInfo = &application;
  VkDebugUtilsMessengerCreateInfoEXT messenger{
      VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT};
  messenger.messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT |
                              VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT;
  messenger.messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT;
  messenger.pfnUserCallback = onMessage;
  messenger.pUserData = instance->diagnostics.get();
  // Finds missing barriers too.
  VkValidationFeatureEnableEXT synchronization =
      VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT;
  VkValidationFeaturesEXT features{VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
                                   &messenger};
  features.enabledValidationFeatureCount = 1;
  features.pEnabledValidationFeatures = &synchronization;
  static constexpr const char *extensions[] = {
      VK_EXT_DEBUG_UTILS_EXTENSION_NAME,
      VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME};
  if (validation) {
    if (!hasValidationLayer(functions))
      return unsupported(std::string("the Vulkan validation layer ") +
                         validationLayer + " is not installed");
    info.enabledLayerCount = 1;
    info.ppEnabledLayerNames = &validationLayer;
    info.enabledExtensionCount = std::size(extensions);
    info.ppEnabledExtensionNames = extensions;
    info.pNext = &features; // The messenger hears creation and destruction too.
  }

  VkResult result =
      functions.vkCreateInstance(&info, nullptr, &instance->handle);
  if (result != VK_SUCCESS) {
    instance->handle = VK_NULL_HANDLE;
    if (result == VK_ERROR_INCOMPATIBLE_DRIVER)
      return notFound("no Vulkan driver is installed");
    return deviceError("can't create a Vulkan instance: " +
                       getResultName(result));
  }
  QUERN_RETURN_IF_ERROR(loadInstanceFunctions(functions, instance->handle));
  if (validation && functions.vkCreateDebugUtilsMessengerEXT) {
    result = functions.vkCreateDebugUtilsMessengerEXT(
        instance->handle, &messenger, nullptr, &instance->messenger);
    if (result != VK_SUCCESS)
      return deviceError("can't listen to the Vulkan validation layer: " +
                         getResultName(result));
  }
  return instance;
}

VulkanInstance::~VulkanInstance() {
  if (messenger)
    functions.vkDestroyDebugUtilsMessengerEXT(handle, messenger, nullptr);
  if (handle && functions.vkDestroyInstance)
    functions.vkDestroyInstance(handle, nullptr);
}
