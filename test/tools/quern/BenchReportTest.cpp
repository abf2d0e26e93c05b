//===- BenchReportTest.cpp - What quern bench prints ----------------------===//

#include "runtime/base/Json.h"
#include "tools/quern/Bench.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::tool;
using testing::HasSubstr;

/// Two layers of two kernels; 4 us and 2 us, 4000 and 100 bytes each.
static BenchReport makeReport() {
  BenchReport report;
  report.model = "tiny";
  report.device = "some \"GPU\"\n";
  report.prefill = {128, 0.5, 1.0, 94, 2};
  report.decode = {32, 1.6, 3.2, 32 * 4, 32};
  ProgramProfile decode;
  decode.name = "decode";
  decode.tokens = decode.maxTokens = 1;
  for (std::string layer : {"layers.0.", "layers.11."}) {
    decode.dispatches.push_back(
        {layer + "mlp.down_proj", "linear_64x2", 4000, 4000, 8000});
    decode.dispatches.push_back({layer + "norm2", "rms_norm", 2000, 100, 50});
  }
  report.profiles.push_back(decode);
  report.readBandwidth = 2e9;
  return report;
}

TEST(BenchReport, GroupsByKernelWithoutLayerNumbers) {
  std::vector<KernelTime> groups = groupByKernel(makeReport().profiles.front());
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0].kernel, "linear_64x2"); // The longest first.
  EXPECT_EQ(groups[0].label, "layers.N.mlp.down_proj");
  EXPECT_EQ(groups[0].count, 2u);
  EXPECT_EQ(groups[0].nanoseconds, 8000);
  EXPECT_EQ(groups[0].bytes, 8000u);
  EXPECT_EQ(groups[0].flops, 16000u);
  EXPECT_EQ(groups[1].label, "layers.N.norm2");
}

TEST(BenchReport, JsonHasRatesAndRooflines) {
  Result<JsonDocument> json = parseJson(printReportJson(makeReport()));
  ASSERT_TRUE(json.isOk()) << json.getStatus().getMessage();
  auto number = [](JsonValue value, std::string_view key) {
    return *value.get(key)->asDouble();
  };
  JsonValue root = json->root(), decode = *root.get("decode");
  EXPECT_DOUBLE_EQ(number(decode, "tokens_per_second"), 20);
  EXPECT_DOUBLE_EQ(number(decode, "tokens_per_cpu_second"), 10);
  EXPECT_DOUBLE_EQ(number(decode, "dispatches_per_token"), 4);
  EXPECT_DOUBLE_EQ(number(*root.get("prefill"), "tokens_per_second"), 256);
  // 8200 bytes in 50 ms of 2 GB/s.
  EXPECT_DOUBLE_EQ(number(root, "decode_roofline"), 8200 / 0.05 / 2e9);
  JsonValue kernel = root.get("programs")->at(0).get("kernels")->at(0);
  EXPECT_DOUBLE_EQ(number(kernel, "roofline"), 0.5); // 8000 bytes in 8 us.
  EXPECT_EQ(*root.get("device")->asString(), "some \"GPU\"\n");
}

TEST(BenchReport, NothingMeasuredGivesNoInfinities) {
  BenchReport report = makeReport();
  report.readBandwidth = 0;
  report.decode = report.prefill = {};
  for (DispatchTime &dispatch : report.profiles[0].dispatches)
    dispatch.nanoseconds = 0;
  EXPECT_TRUE(parseJson(printReportJson(report)).isOk());
  EXPECT_THAT(printReportJson(report), testing::Not(HasSubstr("null")));
  EXPECT_THAT(printReport(report), testing::Not(HasSubstr("inf")));
  EXPECT_THAT(printReport(report), testing::Not(HasSubstr("nan")));
}

TEST(BenchReport, TraceEventsFollowEachOther) {
  Result<JsonDocument> json = parseJson(printTrace(makeReport()));
  ASSERT_TRUE(json.isOk()) << json.getStatus().getMessage();
  JsonValue events = *json->root().get("traceEvents");
  ASSERT_EQ(events.size(), 5u);      // The track's name and four dispatches.
  double expected[] = {0, 4, 6, 10}; // Microseconds.
  for (size_t i = 0; i != 4; ++i) {
    JsonValue event = events.at(i + 1);
    EXPECT_EQ(*event.get("ph")->asString(), "X");
    EXPECT_EQ(*event.get("ts")->asDouble(), expected[i]);
    EXPECT_EQ(*event.get("dur")->asDouble(), i % 2 ? 2 : 4);
  }
  EXPECT_EQ(*events.at(4).get("name")->asString(), "layers.11.norm2");
}
