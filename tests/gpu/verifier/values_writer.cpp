#include "tests/gpu/verifier/values_writer.hpp"

#include "gpu/verifier/dtypes.hpp"

#include <ATen/ATen.h>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <cstring>
#include <stdexcept>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

namespace lathe::verifier::test {

namespace {

namespace json = boost::json;

constexpr std::size_t prefix_size = 16; // [bytes]

std::size_t aligned(std::size_t offset) {
  return (offset + 63) / 64 * 64;
}

json::value scalar_node(const scalar& x) {
  struct {
    json::value operator()(std::monostate) {
      return {{"v", nullptr}};
    }
    json::value operator()(bool x) {
      return {{"v", x}};
    }
    json::value operator()(std::int64_t x) {
      return {{"v", x}};
    }
    json::value operator()(double x) {
      return {{"f", fmt::format("{}", x)}};
    }
    json::value operator()(const std::string& x) {
      return {{"v", x}};
    }
  } write;
  return std::visit(write, x);
}

json::value node(const value& x, std::vector<at::Tensor>& tensors) {
  if (auto* found = std::get_if<scalar>(&x.content))
    return scalar_node(*found);
  if (auto* found = std::get_if<at::Tensor>(&x.content)) {
    tensors.push_back(found->contiguous());
    return json::object{{"t", tensors.size() - 1}};
  }
  json::array items;
  if (auto* found = std::get_if<sequence>(&x.content)) {
    for (auto& item : found->items)
      items.push_back(node(item, tensors));
    return json::object{{found->is_tuple ? "tuple" : "list", items}};
  }
  for (auto& [key, entry] : std::get<mapping>(x.content).entries)
    items.push_back(json::array{key, node(entry, tensors)});
  return json::object{{"dict", items}};
}

} // namespace

void append(sequence& target, value item) {
  target.items.push_back(std::move(item));
}

std::string to_bytes(const value& x) {
  std::vector<at::Tensor> tensors;
  auto tree = node(x, tensors);
  auto first = aligned(prefix_size + json::serialize(tree).size() + 64 + 512 * tensors.size());
  auto offset = first;
  json::array records;
  std::string tail;
  for (auto& tensor : tensors) {
    json::array shape(tensor.sizes().begin(), tensor.sizes().end());
    records.push_back({{"dtype", std::string{dtype_name(tensor.scalar_type())}},
                       {"shape", shape},
                       {"offset", offset},
                       {"bytes", tensor.nbytes()}});
    tail.append(static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes());
    offset = aligned(offset + tensor.nbytes());
    tail.resize(offset - first);
  }
  auto result = with_header(json::serialize(json::object{{"tree", tree}, {"tensors", records}}));
  result.resize(first);
  return result + tail;
}

std::string with_header(std::string_view header, std::string_view tail) {
  std::string result = "LVAL";
  std::uint32_t version = 1;
  std::uint64_t length = header.size();
  result.append(reinterpret_cast<const char*>(&version), sizeof version);
  result.append(reinterpret_cast<const char*>(&length), sizeof length);
  return result.append(header).append(tail);
}

unique_fd file_of(std::string_view bytes) {
  unique_fd result{::memfd_create("values", MFD_CLOEXEC)};
  if (::write(result.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
    throw std::runtime_error{"cannot write a memory file"};
  return result;
}

unique_fd file_of(const value& x) {
  return file_of(to_bytes(x));
}

} // namespace lathe::verifier::test
