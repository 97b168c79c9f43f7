#include "runtime/topology/source_files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace lathe::runtime {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t largest_file = 1 << 20; // [bytes]

/// Follows `extends` from file to file.
class base_reader {
public:
  explicit base_reader(mistake_list& mistakes) : mistakes_(mistakes) {
    // nop
  }

  std::optional<yaml_node> read_file(const fs::path& file, const place& from) {
    auto content = read_text_file(file);
    if (auto why = std::get_if<unreadable>(&content)) {
      auto what = from.line == 0 ? "cannot be read: " : "cannot read '" + file.string() + "': ";
      mistakes_.add(from, what + why->why);
      return std::nullopt;
    }
    return read_text(std::get<std::string>(content), file.string(), file.parent_path());
  }

  std::optional<yaml_node> read_text(const std::string& text, const std::string& name,
                                     const fs::path& folder) {
    auto tree = parse_yaml(text, name, mistakes_);
    if (!tree)
      return std::nullopt;
    if (tree->type != yaml_node::kind::map) {
      mistakes_.add(tree->at,
                    "a topology is a map of keys such as 'agents:', not " + what_it_is(*tree));
      return std::nullopt;
    }
    chain_.push_back(name);
    auto result = with_base(std::move(*tree), folder);
    chain_.pop_back();
    return result;
  }

private:
  std::optional<yaml_node> with_base(yaml_node tree, const fs::path& folder) {
    auto extends = tree.find("extends");
    if (!extends)
      return tree;
    auto at = extends->value.at;
    if (extends->value.type != yaml_node::kind::scalar) {
      mistakes_.add(at, "extends must name one file, not " + what_it_is(extends->value));
      return std::nullopt;
    }
    auto file = (folder / extends->value.text).lexically_normal();
    tree.remove("extends");
    if (closes_circle(file, at))
      return std::nullopt;
    auto base = read_file(file, at);
    return base ? std::optional{merge(std::move(*base), std::move(tree))} : std::nullopt;
  }

  bool closes_circle(const fs::path& file, const place& at) {
    auto same = [&](const std::string& other) {
      std::error_code ignored;
      return fs::path{other}.lexically_normal() == file || fs::equivalent(other, file, ignored);
    };
    auto first = std::find_if(chain_.begin(), chain_.end(), same);
    if (first == chain_.end())
      return false;
    std::string circle;
    for (auto i = first; i != chain_.end(); ++i)
      circle += *i + " -> ";
    mistakes_.add(at, "extends goes round in a circle: " + circle + file.string());
    return true;
  }

  static yaml_node merge(yaml_node base, yaml_node over) {
    if (base.type != yaml_node::kind::map || over.type != yaml_node::kind::map)
      return over;
    base.at = over.at;
    for (auto& entry : over.entries) {
      auto inherited = base.find(entry.key);
      if (!inherited)
        base.entries.push_back(std::move(entry));
      else if (entry.value.type == yaml_node::kind::null)
        base.remove(entry.key);
      else
        *inherited = {entry.key, entry.at,
                      merge(std::move(inherited->value), std::move(entry.value))};
    }
    return base;
  }

  mistake_list& mistakes_;
  std::vector<std::string> chain_; // the files under way, the extending before the extended
};

} // namespace

std::variant<std::string, unreadable> read_text_file(const fs::path& path) {
  std::error_code error;
  auto status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found)
    return unreadable{"no such file"};
  if (fs::is_directory(status))
    return unreadable{"it is a folder"};
  errno = 0;
  std::ifstream in{path, std::ios::binary};
  if (!in)
    return unreadable{errno == EACCES ? "permission denied" : std::strerror(errno)};
  std::string text(largest_file + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (in.bad())
    return unreadable{"reading failed"};
  if (text.size() > largest_file)
    return unreadable{"it is larger than 1 MiB"};
  return text;
}

std::optional<yaml_node> read_with_bases(const fs::path& file, mistake_list& mistakes) {
  return base_reader{mistakes}.read_file(file, {file.string(), 0, 0});
}

std::optional<yaml_node> read_with_bases(const std::string& text, const std::string& name,
                                         const fs::path& folder, mistake_list& mistakes) {
  return base_reader{mistakes}.read_text(text, name, folder);
}

} // namespace lathe::runtime
