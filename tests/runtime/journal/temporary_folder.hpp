#pragma once

#include "messages/content_hash.hpp"
#include "messages/error.hpp"
#include "messages/journal.hpp"

#include <caf/expected.hpp>
#include <caf/init_global_meta_objects.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace lathe::test {

/// A test with an empty folder of its own, which goes when it ends.
class temporary_folder : public testing::Test {
protected:
  temporary_folder() {
    caf::core::init_global_meta_objects(); // errors carry their sentence in a message
    auto pattern = (std::filesystem::temp_directory_path() / "lathe-test-XXXXXX").string();
    folder = mkdtemp(pattern.data());
  }

  ~temporary_folder() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }

  std::filesystem::path folder;
};

inline std::string read_file(const std::filesystem::path& file) {
  std::ostringstream result;
  result << std::ifstream{file}.rdbuf();
  return result.str();
}

inline void write_file(const std::filesystem::path& file, std::string_view text) {
  std::ofstream{file} << text;
}

/// Returns the sentence of what should have failed.
template <class T>
std::string sentence(const caf::expected<T>& x) {
  return x ? "no error" : describe(x.error());
}

template <class T>
bool failed_with(const caf::expected<T>& x, errc code) {
  return !x && x.error() == code;
}

inline journal_record make_record(std::string session, std::string kind, std::string payload = "{}",
                                  double time = 0) {
  return {0, time, std::move(session), std::move(kind), std::move(payload)};
}

inline journal_content make_content(std::string text) {
  return {content_hash(text), std::move(text)};
}

} // namespace lathe::test
