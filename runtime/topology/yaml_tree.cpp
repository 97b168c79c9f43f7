#include "runtime/topology/yaml_tree.hpp"

#include <yaml-cpp/emitter.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

namespace lathe::runtime {

namespace {

// Aliases copy what they name, so a short file could ask for a huge tree.
constexpr std::size_t most_nodes = 20'000;

struct unusable : std::exception {
  unusable(place where, std::string why) : at(std::move(where)), message(std::move(why)) {
    // nop
  }

  place at;
  std::string message;
};

std::size_t count(const yaml_node& x) {
  std::size_t result = 1;
  for (const auto& item : x.items)
    result += count(item);
  for (const auto& entry : x.entries)
    result += count(entry.value);
  return result;
}

/// Builds the tree from the parser's events. Throws `unusable`.
class tree_builder : public YAML::EventHandler {
public:
  tree_builder(const std::string& file, mistake_list& mistakes) : file_(file), mistakes_(mistakes) {
    // nop
  }

  yaml_node take() {
    return std::move(root_);
  }

  // -- events ---------------------------------------------------------------------

  void OnDocumentStart(const YAML::Mark&) override {
    // nop
  }

  void OnDocumentEnd() override {
    // nop
  }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    open(yaml_node::kind::null, mark, anchor);
    close();
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto i = anchors_.find(anchor);
    if (i == anchors_.end())
      throw unusable{at(mark), "an alias cannot stand inside what it names"};
    auto copy = i->second;
    use(count(copy), mark);
    levels_.push_back({std::move(copy), 0, std::nullopt});
    close();
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    open(yaml_node::kind::scalar, mark, anchor);
    levels_.back().node.text = value;
    levels_.back().node.quoted = tag == "!" || tag == "tag:yaml.org,2002:str";
    close();
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(yaml_node::kind::list, mark, anchor);
  }

  void OnSequenceEnd() override {
    close();
  }

  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(yaml_node::kind::map, mark, anchor);
  }

  void OnMapEnd() override {
    close();
  }

private:
  struct level {
    yaml_node node;
    YAML::anchor_t anchor; // 0: none
    std::optional<yaml_node> key;
  };

  place at(const YAML::Mark& mark) const {
    return {file_, mark.line + 1, mark.column + 1};
  }

  void use(std::size_t nodes, const YAML::Mark& mark) {
    nodes_ += nodes;
    if (nodes_ > most_nodes)
      throw unusable{at(mark), "this is too large for a topology"};
  }

  void open(yaml_node::kind type, const YAML::Mark& mark, YAML::anchor_t anchor) {
    use(1, mark);
    yaml_node node;
    node.type = type;
    node.at = at(mark);
    levels_.push_back({std::move(node), anchor, std::nullopt});
  }

  void close() {
    auto done = std::move(levels_.back());
    levels_.pop_back();
    if (done.anchor != 0)
      anchors_[done.anchor] = done.node;
    if (levels_.empty())
      root_ = std::move(done.node);
    else if (levels_.back().node.type == yaml_node::kind::list)
      levels_.back().node.items.push_back(std::move(done.node));
    else
      add_to_map(levels_.back(), std::move(done.node));
  }

  void add_to_map(level& map, yaml_node node) {
    if (!map.key) {
      if (node.type != yaml_node::kind::scalar)
        throw unusable{node.at, "a key must be a word, not " + what_it_is(node)};
      map.key = std::move(node);
      return;
    }
    if (auto first = map.node.find(map.key->text))
      mistakes_.add(map.key->at, "duplicate key '" + map.key->text + "'; the first is in line "
                                   + std::to_string(first->at.line));
    else
      map.node.entries.push_back({map.key->text, map.key->at, std::move(node)});
    map.key.reset();
  }

  const std::string& file_;
  mistake_list& mistakes_;
  yaml_node root_;
  std::vector<level> levels_;
  std::map<YAML::anchor_t, yaml_node> anchors_;
  std::size_t nodes_ = 0;
};

void render(const yaml_node& x, YAML::Emitter& out) {
  switch (x.type) {
    case yaml_node::kind::null:
      out << YAML::Null;
      break;
    case yaml_node::kind::scalar:
      if (x.quoted || x.text.find('\n') != std::string::npos)
        out << YAML::DoubleQuoted; // exact, which yaml-cpp's literal style is not
      out << x.text;
      break;
    case yaml_node::kind::list:
      out << YAML::BeginSeq;
      for (const auto& item : x.items)
        render(item, out);
      out << YAML::EndSeq;
      break;
    case yaml_node::kind::map:
      out << YAML::BeginMap;
      for (const auto& entry : x.entries) {
        out << YAML::Key << entry.key << YAML::Value;
        render(entry.value, out);
      }
      out << YAML::EndMap;
      break;
  }
}

// Keeps a message on its line, whatever the file holds.
std::string shown(const std::string& text) {
  constexpr std::size_t longest = 60;
  auto result = text.size() > longest ? text.substr(0, longest) + "..." : text;
  std::replace_if(
    result.begin(), result.end(), [](unsigned char x) { return x < ' '; }, ' ');
  return result;
}

} // namespace

const yaml_entry* yaml_node::find(std::string_view key) const {
  auto i =
    std::find_if(entries.begin(), entries.end(), [&](const yaml_entry& x) { return x.key == key; });
  return i == entries.end() ? nullptr : &*i;
}

yaml_entry* yaml_node::find(std::string_view key) {
  return const_cast<yaml_entry*>(std::as_const(*this).find(key));
}

void yaml_node::set(std::string_view key, std::string value) {
  yaml_node node;
  node.type = kind::scalar;
  node.at = at;
  node.text = std::move(value);
  set(key, std::move(node));
}

void yaml_node::set(std::string_view key, const std::map<std::string, std::string>& values) {
  yaml_node node;
  node.type = kind::map;
  node.at = at;
  for (auto& [name, text] : values)
    node.set(name, text);
  set(key, std::move(node));
}

void yaml_node::set(std::string_view key, yaml_node value) {
  if (auto entry = find(key))
    entry->value = std::move(value);
  else
    entries.push_back({std::string{key}, at, std::move(value)});
}

void yaml_node::remove(std::string_view key) {
  std::erase_if(entries, [&](const yaml_entry& x) { return x.key == key; });
}

std::optional<yaml_node> parse_yaml(const std::string& text, const std::string& file,
                                    mistake_list& mistakes) {
  try {
    std::istringstream in{text};
    YAML::Parser parser{in};
    tree_builder builder{file, mistakes};
    if (!parser.HandleNextDocument(builder)) {
      mistakes.add({file, 0, 0}, "the file is empty");
      return std::nullopt;
    }
    auto root = builder.take();
    if (parser.HandleNextDocument(builder)) {
      mistakes.add(builder.take().at, "one file holds one topology; a second document starts here");
      return std::nullopt;
    }
    return root;
  } catch (const YAML::Exception& x) {
    mistakes.add({file, x.mark.line + 1, x.mark.column + 1}, "not YAML: " + x.msg);
  } catch (const unusable& x) {
    mistakes.add(x.at, x.message);
  }
  return std::nullopt;
}

std::string render_yaml(const yaml_node& root) {
  YAML::Emitter out;
  render(root, out);
  return std::string{out.c_str()} + "\n";
}

place place_of(const yaml_node& root, std::initializer_list<std::string_view> path) {
  auto node = &root;
  auto result = root.at;
  for (auto key : path) {
    auto entry = node->find(key);
    if (!entry)
      break;
    node = &entry->value;
    result = node->type == yaml_node::kind::scalar ? node->at : entry->at;
  }
  return result;
}

std::string what_it_is(const yaml_node& x) {
  switch (x.type) {
    case yaml_node::kind::scalar:
      return "'" + shown(x.text) + "'";
    case yaml_node::kind::list:
      return "a list";
    case yaml_node::kind::map:
      return "a map";
    default:
      return "nothing";
  }
}

} // namespace lathe::runtime
