//===- ProcessTest.cpp - Finding and running other programs ---------------===//

#include "runtime/base/Process.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace quern;

static Result<ProgramOutput> runShell(const std::string &text) {
  std::array<std::string, 2> arguments = {"-c", text};
  return runProgram("/bin/sh", arguments);
}

TEST(Process, GivesOutputAndExitCode) {
  Result<ProgramOutput> output = runShell("echo one; echo two >&2; exit 3");
  ASSERT_TRUE(output.isOk()) << output.getStatus().getMessage();
  EXPECT_EQ(output->text, "one\ntwo\n");
  EXPECT_EQ(output->exitCode, 3);
  // An empty input, and more output than a pipe holds.
  EXPECT_EQ(runShell("cat; head -c 300000 /dev/zero")->text.size(), 300000u);
  EXPECT_EQ(runShell("kill -9 $$")->exitCode, 128 + 9);
  EXPECT_EQ(runProgram("/nonexistent/program", {}).getStatus().getCode(),
            StatusCode::IoError);
}

TEST(Process, FindsPrograms) {
  constexpr const char *variable = "QUERN_TEST_PROGRAM";
  ::unsetenv(variable);
  Result<std::string> shell = findProgram("sh", variable, "/nonexistent");
  ASSERT_TRUE(shell.isOk()) << shell.getStatus().getMessage();
  EXPECT_TRUE(shell->ends_with("/sh"));

  auto folder = TemporaryFolder::create();
  ASSERT_TRUE(folder.isOk()) << folder.getStatus().getMessage();
  std::string path = folder->getPath() + "/quern-no-such-program";
  std::string name = "quern-no-such-program";
  Status missing = findProgram(name, variable, folder->getPath()).getStatus();
  EXPECT_EQ(missing.getCode(), StatusCode::NotFound);
  for (const std::string &part :
       {name, folder->getPath(), std::string(variable)})
    EXPECT_NE(missing.getMessage().find(part), std::string::npos)
        << missing.getMessage();
  std::ofstream(path) << "#!/bin/sh\n";
  EXPECT_FALSE(findProgram(name, variable, folder->getPath()).isOk());
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  EXPECT_EQ(*findProgram(name, variable, folder->getPath()), path);

  ::setenv(variable, path.c_str(), 1);
  EXPECT_EQ(*findProgram("sh", variable, "/nonexistent"), path);
  ::setenv(variable, "/nonexistent/x", 1);
  EXPECT_EQ(findProgram("sh", variable, "/nonexistent").getStatus().getCode(),
            StatusCode::NotFound);
  ::unsetenv(variable);
}

TEST(Process, RemovesTemporaryFolders) {
  std::string path;
  {
    auto folder = TemporaryFolder::create();
    ASSERT_TRUE(folder.isOk()) << folder.getStatus().getMessage();
    path = folder->getPath();
    std::ofstream(path + "/file") << "x";
    EXPECT_TRUE(std::filesystem::exists(path + "/file"));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}
