#include "gpu/measurement_cache.hpp"

#include "gpu/processes/text_file.hpp"
#include "messages/content_hash.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <fstream>
#include <thread>
#include <unistd.h>

namespace lathe::gpu {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

// Each file is {"subject": {...}, "measured": {...}}. Nothing when it is not.
std::optional<json::object> read(const fs::path& path) {
  boost::system::error_code problem;
  auto parsed = json::parse(read_text(path), problem);
  if (problem || !parsed.is_object())
    return std::nullopt;
  for (auto* key : {"subject", "measured"})
    if (auto* part = parsed.as_object().if_contains(key); part == nullptr || !part->is_object())
      return std::nullopt;
  return std::move(parsed.as_object());
}

} // namespace

measurement_cache::measurement_cache(fs::path folder) : folder_(std::move(folder)) {
  // nop
}

std::optional<json::object> measurement_cache::find(const json::object& subject) const {
  if (folder_.empty())
    return std::nullopt;
  auto entry = read(file_for(subject));
  if (!entry || entry->at("subject") != json::value(subject))
    return std::nullopt;
  return std::move(entry->at("measured").as_object());
}

bool measurement_cache::keep(const json::object& subject, json::object measured) const {
  if (folder_.empty())
    return true;
  std::error_code ignored;
  fs::create_directories(folder_, ignored);
  auto file = file_for(subject);
  auto writer = std::hash<std::thread::id>{}(std::this_thread::get_id());
  auto draft = fs::path{fmt::format("{}.{}-{}", file.string(), ::getpid(), writer)};
  std::ofstream out{draft, std::ios::binary};
  out << json::serialize(json::object{{"subject", subject}, {"measured", std::move(measured)}})
      << '\n';
  out.close();
  std::error_code problem;
  if (out)
    fs::rename(draft, file, problem);
  if (out && !problem)
    return true;
  fs::remove(draft, ignored);
  return false;
}

std::vector<json::object> measurement_cache::subjects() const {
  std::vector<json::object> result;
  std::error_code ignored;
  for (auto& file : fs::directory_iterator{folder_, ignored})
    if (auto entry = read(file.path()); entry && file_for(entry->at("subject").as_object()) == file)
      result.push_back(std::move(entry->at("subject").as_object()));
  return result;
}

fs::path measurement_cache::file_for(const json::object& subject) const {
  constexpr std::size_t enough = 24; // digits; the subject itself is compared, too
  return folder_ / (content_hash(json::serialize(subject)).substr(0, enough) + ".json");
}

} // namespace lathe::gpu
