#include "gpu/verifier/values.hpp"

#include "gpu/verifier/tensor_layout.hpp"
#include "gpu/verifier/upload.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <optional>

#include <sys/stat.h>

namespace lathe::verifier {

namespace {

namespace dom = simdjson::dom;

static_assert(std::endian::native == std::endian::little, "values files are little endian");

constexpr std::size_t prefix_size = 16; // [bytes] magic, version, header length
constexpr std::uint32_t known_version = 1;
constexpr std::uint64_t max_header = 4 * 1024 * 1024;    // [bytes]
constexpr std::int64_t max_file = std::int64_t{1} << 38; // [bytes]
constexpr int max_depth = 32;
constexpr std::size_t max_json_depth = 128; // a dict takes three levels of JSON

std::optional<double> parse_float(std::string_view text) {
  double result = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result);
  if (error != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return result;
}

// Reads one file. Every step returns false and leaves a sentence in `problem_` when it fails.
class values_reader {
public:
  values_reader(int fd, at::Device place) : fd_(fd), place_(place) {
    // nop
  }

  reading read() {
    reading result;
    if (!read_header() || !read_tensors() || !read_node(tree_, 0, result.content) || !all_used())
      return {{}, problem_};
    return result;
  }

private:
  bool fail(std::string sentence) {
    problem_ = std::move(sentence);
    return false;
  }

  bool read_header() {
    struct stat info {};
    if (::fstat(fd_, &info) != 0 || !S_ISREG(info.st_mode))
      return fail("it is not a file");
    if (info.st_size > max_file)
      return fail("the file is too large");
    std::array<char, prefix_size> prefix{};
    if (!copy_out(fd_, 0, prefix.data(), prefix.size()))
      return fail("the file is cut off: it has no header");
    std::uint32_t version = 0;
    std::uint64_t length = 0;
    std::memcpy(&version, prefix.data() + 4, sizeof version);
    std::memcpy(&length, prefix.data() + 8, sizeof length);
    if (std::memcmp(prefix.data(), "LVAL", 4) != 0)
      return fail("the file does not start with LVAL");
    if (version != known_version)
      return fail(fmt::format("the file has version {}, not {}", version, known_version));
    auto size = static_cast<std::uint64_t>(info.st_size);
    if (length > max_header || length > size - prefix_size)
      return fail("the header is longer than allowed, or than the file");
    json_.resize(length + simdjson::SIMDJSON_PADDING);
    if (!copy_out(fd_, prefix_size, json_.data(), length))
      return fail("the file is cut off inside its header");
    return parse_header(length, {prefix_size + length, size});
  }

  bool parse_header(std::size_t length, byte_range space) {
    if (parser_.allocate(length, max_json_depth) != simdjson::SUCCESS)
      return fail("there is not enough memory for its header");
    dom::object header;
    auto error = parser_.parse(json_.data(), length, false).get(header);
    if (error != simdjson::SUCCESS)
      return fail(fmt::format("the header is not usable JSON: {}", simdjson::error_message(error)));
    dom::array records;
    if (header.size() != 2 || header["tree"].get(tree_) != simdjson::SUCCESS
        || header["tensors"].get(records) != simdjson::SUCCESS)
      return fail("the header does not hold a tree and tensors");
    if (auto sentence = read_layouts(records, space, layouts_); !sentence.empty())
      return fail(std::move(sentence));
    return true;
  }

  bool read_tensors() {
    for (auto& layout : layouts_) {
      auto bytes = upload(fd_, layout.offset, layout.bytes, place_);
      if (!bytes.defined())
        return fail(fmt::format("tensor {} is cut off", tensors_.size()));
      // Any other byte would make each later use of the tensor undefined.
      if (layout.type == at::kBool && bytes.gt(1).any().item<bool>())
        return fail(
          fmt::format("tensor {} is bool, but holds bytes other than 0 and 1", tensors_.size()));
      tensors_.push_back(bytes.view(layout.type).view(layout.shape));
    }
    used_.assign(tensors_.size(), false);
    return true;
  }

  bool read_node(dom::element element, int depth, value& result) {
    if (depth == max_depth)
      return fail(fmt::format("the tree is deeper than {} levels", max_depth));
    dom::object node;
    if (element.get(node) != simdjson::SUCCESS || node.size() != 1)
      return fail("the tree has a node that is not an object with one key");
    auto [key, content] = *node.begin();
    if (key == "t")
      return read_tensor_index(content, result);
    if (key == "v")
      return read_scalar(content, result);
    if (key == "f")
      return read_float(content, result);
    if (key == "list" || key == "tuple")
      return read_sequence(content, key == "tuple", depth, result);
    if (key == "dict")
      return read_mapping(content, depth, result);
    return fail("the tree has a node of an unknown kind");
  }

  bool read_tensor_index(dom::element content, value& result) {
    std::uint64_t index = 0;
    if (content.get(index) != simdjson::SUCCESS || index >= tensors_.size())
      return fail("the tree names a tensor that is not there");
    if (used_[index])
      return fail(fmt::format("the tree uses tensor {} twice", index));
    used_[index] = true;
    result.content = tensors_[index];
    return true;
  }

  bool read_scalar(dom::element content, value& result) {
    scalar found;
    bool truth = false;
    std::int64_t integer = 0;
    std::string_view text;
    if (content.get(truth) == simdjson::SUCCESS)
      found = truth;
    else if (content.get(integer) == simdjson::SUCCESS)
      found = integer;
    else if (content.get(text) == simdjson::SUCCESS)
      found = std::string{text};
    else if (!content.is_null())
      return fail("the tree has a scalar of an unknown kind");
    result.content = std::move(found);
    return true;
  }

  bool read_float(dom::element content, value& result) {
    std::string_view text;
    if (content.get(text) != simdjson::SUCCESS)
      return fail("the tree has a float that is not written as a string");
    auto number = parse_float(text);
    if (!number)
      return fail("the tree has a float that cannot be read");
    result.content = scalar{*number};
    return true;
  }

  bool read_sequence(dom::element content, bool is_tuple, int depth, value& result) {
    dom::array items;
    if (content.get(items) != simdjson::SUCCESS)
      return fail("the tree has a list that is not an array");
    sequence found{is_tuple, {}};
    for (auto item : items)
      if (!read_node(item, depth + 1, found.items.emplace_back()))
        return false;
    result.content = std::move(found);
    return true;
  }

  bool read_mapping(dom::element content, int depth, value& result) {
    dom::array pairs;
    if (content.get(pairs) != simdjson::SUCCESS)
      return fail("the tree has a dict that is not an array of pairs");
    mapping found;
    for (auto element : pairs) {
      dom::array pair;
      std::string_view key;
      if (element.get(pair) != simdjson::SUCCESS || pair.size() != 2
          || pair.at(0).get(key) != simdjson::SUCCESS)
        return fail("the tree has a dict entry that is not a key and a value");
      found.entries.push_back({std::string{key}, {}});
      if (!read_node(pair.at(1).value_unsafe(), depth + 1, found.entries.back().item))
        return false;
    }
    return sort_keys(found, result);
  }

  bool sort_keys(mapping& found, value& result) {
    auto key = &keyed_value::key;
    std::ranges::sort(found.entries, {}, key);
    if (std::ranges::adjacent_find(found.entries, {}, key) != found.entries.end())
      return fail("the tree has a dict with one key twice");
    result.content = std::move(found);
    return true;
  }

  bool all_used() {
    auto unused = std::find(used_.begin(), used_.end(), false);
    if (unused == used_.end())
      return true;
    return fail(fmt::format("tensor {} is not part of the tree", unused - used_.begin()));
  }

  int fd_;
  at::Device place_;
  std::string problem_;
  std::string json_;
  dom::parser parser_; // owns what `tree_` points to
  dom::element tree_;
  std::vector<tensor_layout> layouts_;
  std::vector<at::Tensor> tensors_;
  std::vector<bool> used_;
};

} // namespace

reading read_values(int fd, at::Device place) {
  return values_reader{fd, place}.read();
}

} // namespace lathe::verifier
