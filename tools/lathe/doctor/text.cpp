#include "tools/lathe/doctor/text.hpp"

#include "gpu/processes/text_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace lathe::doctor {

namespace {

constexpr std::string_view white_space = " \t\r\n";
constexpr std::string_view digits = "0123456789";

std::string_view trimmed(std::string_view x) {
  auto begin = x.find_first_not_of(white_space);
  if (begin == std::string_view::npos)
    return {};
  return x.substr(begin, x.find_last_not_of(white_space) - begin + 1);
}

} // namespace

std::string read_text(const std::filesystem::path& file) {
  auto text = gpu::read_text(file);
  return std::string{trimmed(text)};
}

std::optional<std::int64_t> number_in(std::string_view text) {
  std::int64_t result = 0;
  text = trimmed(text);
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), result);
  return problem == std::errc{} ? std::optional{result} : std::nullopt;
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> result;
  while (!text.empty()) {
    auto end = std::min(text.find('\n'), text.size());
    result.emplace_back(trimmed(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return result;
}

std::string last_line(std::string_view text) {
  text = trimmed(text);
  std::string result{trimmed(text.substr(text.rfind('\n') + 1))};
  std::replace_if(
    result.begin(), result.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return result;
}

std::string version_in(std::string_view text) {
  while (true) {
    auto begin = text.find_first_of(digits);
    if (begin == std::string_view::npos)
      return {};
    auto end = std::min(text.find_first_not_of("0123456789.", begin), text.size());
    auto version = text.substr(begin, end - begin);
    while (version.ends_with('.'))
      version.remove_suffix(1);
    if (version.find('.') != std::string_view::npos)
      return std::string{version};
    text.remove_prefix(end);
  }
}

int major_of(std::string_view version) {
  return static_cast<int>(number_in(version).value_or(0));
}

std::string format_bytes(std::uint64_t bytes) {
  constexpr double mebibyte = 1 << 20;
  constexpr double gibibyte = 1 << 30;
  auto size = static_cast<double>(bytes);
  if (size < gibibyte)
    return fmt::format("{:.0f} MiB", size / mebibyte);
  return fmt::format("{:.{}f} GiB", size / gibibyte, size < 10 * gibibyte ? 1 : 0);
}

} // namespace lathe::doctor
