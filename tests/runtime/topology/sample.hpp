#pragma once

#include "runtime/topology/topology_file.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace lathe::runtime {

/// A small topology without a mistake. Tests spoil it.
extern const std::string sample;

/// Returns `sample` with the one place that reads `from` replaced.
std::string spoilt(const std::string& from, const std::string& to);

/// An environment in which only OPENAI_API_KEY ("sk-test") is set.
read_options with_key();

/// Reads `text` as file "t.yaml".
reading read(const std::string& text, const read_options& options = with_key());

/// Returns the mistakes in `text`, rendered.
std::vector<std::string> mistakes_in(const std::string& text,
                                     const read_options& options = with_key());

/// A folder that is gone after the test.
class temporary_folder {
public:
  temporary_folder();
  ~temporary_folder();
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;

  /// Writes a file, and the folders it is in, and returns its path.
  std::filesystem::path write(const std::string& name, const std::string& text) const;

  const std::filesystem::path& path() const {
    return path_;
  }

private:
  std::filesystem::path path_;
};

} // namespace lathe::runtime
