#include "gpu/verifier/structure.hpp"

#include "gpu/verifier/dtypes.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>

namespace lathe::verifier {

namespace {

// -- words ------------------------------------------------------------------------

// Texts of the candidate go into sentences that others read: short, and on one line.
std::string quote(std::string_view text) {
  constexpr std::size_t longest = 40;
  std::string result{text.substr(0, longest)};
  std::replace_if(
    result.begin(), result.end(), [](unsigned char c) { return c < 0x20 || c >= 0x7f; }, '?');
  return fmt::format("'{}{}'", result, text.size() > longest ? "..." : "");
}

std::string describe(const scalar& x) {
  struct {
    std::string operator()(std::monostate) {
      return "None";
    }
    std::string operator()(bool x) {
      return x ? "True" : "False";
    }
    std::string operator()(std::int64_t x) {
      return fmt::format("the integer {}", x);
    }
    std::string operator()(double x) {
      return fmt::format("the float {:.4g}", x);
    }
    std::string operator()(const std::string& x) {
      return "the string " + quote(x);
    }
  } words;
  return std::visit(words, x);
}

std::string describe(const value& x) {
  struct {
    std::string operator()(const scalar& x) {
      return describe(x);
    }
    std::string operator()(const at::Tensor&) {
      return "a tensor";
    }
    std::string operator()(const sequence& x) {
      return fmt::format("a {} of {}", x.is_tuple ? "tuple" : "list", x.items.size());
    }
    std::string operator()(const mapping& x) {
      return fmt::format("a dict of {}", x.entries.size());
    }
  } words;
  return std::visit(words, x.content);
}

// -- names of places ----------------------------------------------------------------

// The root of a tree has the empty name; its children are whole outputs.
std::string child(const std::string& parent, std::size_t index) {
  return parent.empty() ? fmt::format("output {}", index) : fmt::format("{}[{}]", parent, index);
}

std::string child(const std::string& parent, const std::string& key) {
  return parent.empty() ? fmt::format("output {}", quote(key))
                        : fmt::format("{}[{}]", parent, quote(key));
}

void collect(const value& tree, const std::string& name, std::vector<leaf>& result) {
  if (auto* tensor = std::get_if<at::Tensor>(&tree.content)) {
    result.push_back({name.empty() ? "output 0" : name, *tensor});
  } else if (auto* list = std::get_if<sequence>(&tree.content)) {
    for (std::size_t i = 0; i < list->items.size(); ++i)
      collect(list->items[i], child(name, i), result);
  } else if (auto* dict = std::get_if<mapping>(&tree.content)) {
    for (auto& [key, entry] : dict->entries)
      collect(entry, child(name, key), result);
  }
}

// -- differences ----------------------------------------------------------------------

std::string difference(const value& expected, const value& got, const std::string& name);

std::string differ(const value& expected, const value& got, const std::string& name) {
  if (name.empty())
    return fmt::format("the reference returns {}, the candidate {}", describe(expected),
                       describe(got));
  return fmt::format("{}: {} instead of {}", name, describe(got), describe(expected));
}

bool same(const scalar& a, const scalar& b) {
  auto* x = std::get_if<double>(&a);
  auto* y = std::get_if<double>(&b);
  return a == b || (x && y && std::isnan(*x) && std::isnan(*y));
}

std::string difference(const at::Tensor& expected, const at::Tensor& got, const std::string& name) {
  auto place = name.empty() ? "output 0" : name;
  if (expected.sizes() != got.sizes())
    return fmt::format("{}: shape {} instead of {}", place, describe_shape(got.sizes()),
                       describe_shape(expected.sizes()));
  if (expected.scalar_type() != got.scalar_type())
    return fmt::format("{}: dtype {} instead of {}", place, dtype_name(got.scalar_type()),
                       dtype_name(expected.scalar_type()));
  return {};
}

std::string difference(const sequence& expected, const sequence& got, const std::string& name) {
  for (std::size_t i = 0; i < expected.items.size(); ++i)
    if (auto found = difference(expected.items[i], got.items[i], child(name, i)); !found.empty())
      return found;
  return {};
}

std::string difference(const mapping& expected, const mapping& got, const std::string& name) {
  auto place = name.empty() ? "the dict" : name;
  for (std::size_t i = 0; i < expected.entries.size(); ++i) {
    auto& [expected_key, expected_entry] = expected.entries[i];
    auto& [got_key, got_entry] = got.entries[i];
    if (expected_key != got_key)
      return fmt::format("{}: key {} instead of {}", place, quote(got_key), quote(expected_key));
    auto found = difference(expected_entry, got_entry, child(name, expected_key));
    if (!found.empty())
      return found;
  }
  return {};
}

std::string difference(const value& expected, const value& got, const std::string& name) {
  if (auto* tensor = std::get_if<at::Tensor>(&expected.content))
    if (auto* other = std::get_if<at::Tensor>(&got.content))
      return difference(*tensor, *other, name);
  if (auto* list = std::get_if<sequence>(&expected.content)) {
    auto* other = std::get_if<sequence>(&got.content);
    if (other && list->is_tuple == other->is_tuple && list->items.size() == other->items.size())
      return difference(*list, *other, name);
  }
  if (auto* dict = std::get_if<mapping>(&expected.content)) {
    auto* other = std::get_if<mapping>(&got.content);
    if (other && dict->entries.size() == other->entries.size())
      return difference(*dict, *other, name);
  }
  if (auto* x = std::get_if<scalar>(&expected.content)) {
    auto* other = std::get_if<scalar>(&got.content);
    if (other && same(*x, *other))
      return {};
  }
  return differ(expected, got, name);
}

} // namespace

std::vector<leaf> leaves(const value& tree) {
  std::vector<leaf> result;
  collect(tree, {}, result);
  return result;
}

std::string structure_difference(const value& expected, const value& got) {
  return difference(expected, got, {});
}

std::string describe_shape(c10::IntArrayRef shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

} // namespace lathe::verifier
