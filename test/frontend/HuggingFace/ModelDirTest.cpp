//===- ModelDirTest.cpp - Path policy: groups 22, 23 and 29 ---------------===//

#include "frontend/HuggingFace/ModelDir.h"
#include "test/support/Expect.h"
#include "test/support/FailingAllocator.h"
#include "test/support/TempDir.h"

#include <chrono>
#include <sys/stat.h>
#include <unistd.h>

using namespace quern;
using namespace quern::test;

TEST(ModelDir, OpensFilesAndFollowsLinksLikeACache) {
  TempDir dir;
  std::filesystem::create_directories(dir.file("blobs"));
  std::filesystem::create_directories(dir.file("snapshots/rev"));
  dir.write("blobs/abc", "content");
  ASSERT_EQ(::symlink("../../blobs/abc",
                      dir.file("snapshots/rev/config.json").c_str()),
            0);
  Result<ModelDir> folder = ModelDir::open(dir.file("snapshots/rev/"));
  ASSERT_TRUE(succeeds(folder));
  Result<File> file = folder->openFile("config.json");
  ASSERT_TRUE(succeeds(file));
  EXPECT_EQ(*readWholeFile(*file, 100), "content");
  EXPECT_EQ(file->getName(), dir.file("snapshots/rev/config.json"));
  EXPECT_EQ(*folder->listNames(), std::vector<std::string>{"config.json"});
  Result<std::optional<File>> none = folder->openFileIfPresent("other");
  ASSERT_TRUE(succeeds(none));
  EXPECT_FALSE(none->has_value());
}

TEST(ModelDir, KeepsItsFolderWhenThePathIsReplaced) {
  TempDir dir;
  std::filesystem::create_directories(dir.file("model"));
  dir.write("model/f", "old");
  Result<ModelDir> folder = ModelDir::open(dir.file("model"));
  ASSERT_TRUE(succeeds(folder));
  std::filesystem::rename(dir.file("model"), dir.file("moved"));
  std::filesystem::create_directories(dir.file("model"));
  dir.write("model/f", "new");
  Result<File> file = folder->openFile("f");
  ASSERT_TRUE(succeeds(file));
  EXPECT_EQ(*readWholeFile(*file, 100), "old");
}

TEST(ModelDirBad, Folder) {
  TempDir dir;
  std::string file = dir.write("file", "x");
  EXPECT_TRUE(failsWith(ModelDir::open(dir.file("none")), StatusCode::NotFound,
                        "cannot open the folder"));
  EXPECT_TRUE(failsWith(ModelDir::open(file), StatusCode::InvalidArgument,
                        "expected a folder with a checkpoint, found a file"));
  EXPECT_TRUE(
      failsWith(ModelDir::open(""), StatusCode::InvalidArgument, "not a path"));
}

TEST(ModelDirBad, Group22Names) {
  TempDir dir;
  Result<ModelDir> folder = ModelDir::open(dir.str());
  ASSERT_TRUE(succeeds(folder));
  using namespace std::string_view_literals;
  for (std::string_view name :
       {"/etc/passwd"sv, "../x"sv, ".."sv, "."sv, "a/b"sv, "a\\b"sv, "c:x"sv,
        "a\0b"sv, ""sv, "a\x7f"sv, "\xff"sv})
    EXPECT_TRUE(failsWith(folder->openFile(name), StatusCode::Corrupt,
                          dir.str() + ": file name '"));
  EXPECT_TRUE(failsWith(folder->openFile(std::string(256, 'n')),
                        StatusCode::Corrupt, "more than 255 bytes"));
}

TEST(ModelDirBad, Group23SpecialFilesDoNotBlock) {
  TempDir dir;
  ASSERT_EQ(::mkfifo(dir.file("fifo").c_str(), 0600), 0);
  ASSERT_EQ(::mkdir(dir.file("folder").c_str(), 0700), 0);
  ASSERT_EQ(::symlink("/dev/zero", dir.file("device").c_str()), 0);
  ASSERT_EQ(::symlink("nowhere", dir.file("dangling").c_str()), 0);
  ASSERT_EQ(::symlink("loop", dir.file("loop").c_str()), 0);
  Result<ModelDir> folder = ModelDir::open(dir.str());
  ASSERT_TRUE(succeeds(folder));
  auto start = std::chrono::steady_clock::now();
  auto refused = [&](std::string_view name, StatusCode code,
                     std::string_view part) {
    return failsWith(folder->openFileIfPresent(name), code, part);
  };
  EXPECT_TRUE(refused("fifo", StatusCode::InvalidArgument, "found a FIFO"));
  EXPECT_TRUE(refused("folder", StatusCode::InvalidArgument, "a directory"));
  EXPECT_TRUE(refused("device", StatusCode::InvalidArgument, "a device"));
  EXPECT_TRUE(refused("loop", StatusCode::IoError, "symbolic links"));
  EXPECT_TRUE(refused("dangling", StatusCode::NotFound,
                      "a symbolic link to a file that does not exist"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
}

TEST(ModelDirBad, Group29OutputOverInput) {
  TempDir dir;
  std::filesystem::create_directories(dir.file("model/sub"));
  std::filesystem::create_directories(dir.file("out"));
  dir.write("model/model.safetensors", "weights");
  ASSERT_EQ(::symlink("../model", dir.file("out/link").c_str()), 0);
  ASSERT_EQ(::link(dir.file("model/model.safetensors").c_str(),
                   dir.file("out/hard").c_str()),
            0);
  Result<ModelDir> folder = ModelDir::open(dir.file("model"));
  ASSERT_TRUE(succeeds(folder));
  auto refused = [&](std::string_view output, std::string_view part) {
    return failsWith(folder->checkOutputPath(dir.file(output)),
                     StatusCode::InvalidArgument, part);
  };
  EXPECT_TRUE(succeeds(folder->checkOutputPath(dir.file("out/m.quern"))));
  EXPECT_TRUE(succeeds(folder->checkOutputPath("m.quern")));
  EXPECT_TRUE(refused("model/m.quern", "would lie in the input folder"));
  EXPECT_TRUE(refused("model/sub/m.quern", "would lie in the input folder"));
  EXPECT_TRUE(refused("out/link/m.quern", "would lie in the input folder"));
  EXPECT_TRUE(refused("out/../model/m.quern", "would lie in the input"));
  EXPECT_TRUE(
      refused("model/model.safetensors", "would overwrite the input file"));
  EXPECT_TRUE(refused("out/hard", "would overwrite the input file"));
  EXPECT_TRUE(failsWith(folder->checkOutputPath(dir.file("none/m.quern")),
                        StatusCode::NotFound, "cannot open the folder"));
}

TEST(ModelDirFault, F8OutOfMemory) {
  TempDir dir;
  dir.write("a-file-with-a-long-name", "x");
  std::string path = dir.str();
  EXPECT_GT(sweepAllocationFailures([&]() -> Status {
              QUERN_ASSIGN_OR_RETURN(ModelDir folder, ModelDir::open(path));
              QUERN_ASSIGN_OR_RETURN(
                  std::optional<File> file,
                  folder.openFileIfPresent("a-file-with-a-long-name"));
              QUERN_ASSIGN_OR_RETURN(std::vector<std::string> names,
                                     folder.listNames());
              return names.size() == 1 ? Status::ok()
                                       : internalError("wrong list");
            }),
            5u);
}
