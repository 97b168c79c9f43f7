#include "runtime/topology/key_file.hpp"

#include "messages/error.hpp"
#include "tests/runtime/topology/sample.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

using namespace lathe;
using namespace lathe::runtime;

namespace {

struct key_file : testing::Test {
  // The key that is read, or what is wrong, with FILE for the file's name.
  std::string found(const std::string& text, mode_t mode) {
    auto file = folder.write("key", text);
    ::chmod(file.c_str(), mode);
    auto result = outcome(file);
    std::filesystem::remove(file);
    return result;
  }

  static std::string outcome(const std::filesystem::path& file) {
    auto key = read_key_file(file);
    if (key)
      return *key;
    EXPECT_EQ(key.error(), errc::user_error);
    auto sentence = describe(key.error());
    for (auto at = sentence.find(file.string()); at != std::string::npos;
         at = sentence.find(file.string()))
      sentence.replace(at, file.string().size(), "FILE");
    return sentence;
  }

  temporary_folder folder;
};

} // namespace

TEST_F(key_file, a_file_of_the_users_own_holds_the_key) {
  EXPECT_EQ(found("sk-1", 0600), "sk-1");
  EXPECT_EQ(found("sk-1 \r\n\n", 0400), "sk-1");
}

TEST_F(key_file, nobody_else_may_have_any_right_to_it) {
  for (mode_t mode : {0640, 0604, 0660, 0610, 0644, 0602})
    EXPECT_EQ(found("sk-1", mode), "others can get at the key file FILE: chmod 600 FILE") << mode;
}

TEST_F(key_file, it_belongs_to_the_user) {
  auto file = folder.write("key", "sk-1");
  ::chmod(file.c_str(), 0600);
  if (::chown(file.c_str(), 12'345, 12'345) != 0)
    GTEST_SKIP() << "only root can give a file away";
  EXPECT_EQ(outcome(file), "the key file FILE belongs to somebody else: make it yours, with mode "
                           "0600");
}

TEST_F(key_file, it_is_a_regular_file) {
  EXPECT_EQ(outcome(folder.path()), "the key file FILE is not a regular file");
  auto pipe = folder.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(outcome(pipe), "the key file FILE is not a regular file") << "and it is not waited for";
  EXPECT_EQ(outcome(folder.path() / "none"), "the file that api_key_file names is not there");
}

TEST_F(key_file, a_key_in_the_place_of_a_file_is_not_repeated) {
  auto key = "sk-" + std::string(400, 'x');
  for (const auto& name : {key, "sk-1/" + key, std::string{"sk-1"}})
    EXPECT_EQ(outcome(folder.path() / name), "the file that api_key_file names is not there");
  auto file = folder.write("file", "sk-1");
  EXPECT_EQ(outcome(std::filesystem::path{file} / "sk-2"),
            "the file that api_key_file names is not there");
}

TEST_F(key_file, it_holds_one_word) {
  EXPECT_EQ(found("", 0600), "the key file FILE is empty");
  EXPECT_EQ(found("\n \n", 0600), "the key file FILE is empty");
  for (const auto& text : {std::string{"sk-1\nsk-2"}, std::string{"OPENAI_API_KEY = sk-1"},
                           std::string{"sk-\xc3\xa4"}, std::string(100'000, 'x')})
    EXPECT_EQ(found(text, 0600), "the key file FILE holds more than a key, which is one word");
}
