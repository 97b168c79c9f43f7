#include "runtime/task_file.hpp"

#include "messages/error.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>

namespace lathe::runtime {

namespace {

constexpr std::uintmax_t max_size = 1 << 20; // [bytes]

caf::error refuse(const std::filesystem::path& file, std::string_view why) {
  return make_error(errc::user_error, fmt::format("{}: {}", file.string(), why));
}

bool defines(std::string_view source, std::string_view keyword, std::string_view name) {
  for (auto at = source.find(keyword); at != std::string_view::npos;
       at = source.find(keyword, at + 1)) {
    auto rest = source.substr(at + keyword.size());
    auto begin = rest.find_first_not_of(" \t");
    if (begin != 0 && begin != std::string_view::npos && rest.substr(begin).starts_with(name)) {
      auto next = rest.substr(begin + name.size());
      if (next.empty() || (std::isalnum(static_cast<unsigned char>(next.front())) == 0 && next.front() != '_'))
        return true;
    }
  }
  return false;
}

} // namespace

caf::expected<task> read_task(const std::filesystem::path& file) {
  std::error_code error;
  auto status = std::filesystem::status(file, error);
  if (!std::filesystem::exists(status))
    return refuse(file, "there is no such file");
  if (std::filesystem::is_directory(status))
    return refuse(file, "this is a folder; name a Python file with a class Model");
  if (std::filesystem::file_size(file, error) > max_size && !error)
    return refuse(file, "a task file may have 1 MiB at most");
  std::ifstream in{file, std::ios::binary};
  if (!in)
    return refuse(file, std::strerror(errno));
  task result{file.stem().string(), file.string(), {std::istreambuf_iterator<char>{in}, {}}};
  auto& source = result.source;
  if (source.find('\0') != std::string::npos || !simdjson::validate_utf8(source))
    return refuse(file, "this is not a text file");
  if (!defines(source, "class", "Model") && source.find("import") == std::string::npos)
    return refuse(file, "this is not a task: it defines no class Model");
  if (!defines(source, "class", "Model"))
    return refuse(file, "it defines no class Model; a task needs Model(nn.Module), get_inputs() and "
                        "get_init_inputs()");
  if (!defines(source, "def", "get_inputs"))
    return refuse(file, "it defines no function get_inputs(), which returns the model's inputs");
  return result;
}

caf::expected<std::vector<task>> read_tasks(const std::vector<std::filesystem::path>& files) {
  std::vector<task> result;
  std::vector<std::string> mistakes;
  std::map<session_id, std::string> seen;
  for (auto& file : files) {
    auto x = read_task(file);
    if (!x) {
      mistakes.push_back(describe(x.error()));
      continue;
    }
    auto [i, added] = seen.try_emplace(x->name, x->path);
    if (added)
      result.push_back(std::move(*x));
    else if (i->second != x->path)
      mistakes.push_back(fmt::format("{} and {}: two tasks of one name", i->second, x->path));
  }
  if (!mistakes.empty())
    return make_error(errc::user_error, fmt::format("{}", fmt::join(mistakes, "\n")));
  return result;
}

} // namespace lathe::runtime
