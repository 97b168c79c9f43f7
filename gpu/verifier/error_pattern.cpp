#include "gpu/verifier/error_pattern.hpp"

#include "gpu/verifier/index_pattern.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace lathe::verifier {

namespace {

// Relations hold when what they leave unexplained is this part of what they explain.
constexpr double explained = 1e-3;

// To look for relations takes two dozen bytes an element: in larger tensors some elements stand for
// all.
constexpr std::int64_t most_related = 16 << 20;

// -- where ------------------------------------------------------------------------

noun dimension_noun(std::int64_t dimension, std::int64_t dimensions) {
  if (dimensions == 1)
    return {"element", "elements"};
  if (dimension == dimensions - 1)
    return {"column", "columns"};
  if (dimension == dimensions - 2)
    return {"row", "rows"};
  return {fmt::format("dimension {} index", dimension),
          fmt::format("dimension {} indexes", dimension)};
}

std::vector<std::int64_t> true_indexes(const at::Tensor& mask) {
  auto found = mask.nonzero().flatten().contiguous().cpu();
  auto* data = found.const_data_ptr<std::int64_t>();
  return {data, data + found.numel()};
}

// Returns one description for each dimension along which some entries have nothing off.
std::vector<std::string> describe_dimensions(const at::Tensor& off) {
  std::vector<std::string> result;
  auto dimensions = off.dim();
  for (std::int64_t dimension = 0; dimension < dimensions; ++dimension) {
    auto along = dimensions == 1 ? off : off.transpose(0, dimension).flatten(1).any(1);
    auto hit = true_indexes(along);
    auto size = off.size(dimension);
    if (static_cast<std::int64_t>(hit.size()) == size)
      continue;
    auto text = describe_indexes(hit, size, dimension_noun(dimension, dimensions));
    if (!text.empty())
      result.push_back(std::move(text));
  }
  return result;
}

// A kernel that stops too early leaves a tail of the flat output that no row or column explains.
std::string describe_tail(const at::Tensor& off) {
  auto first = off.numel() - off.sum().item<std::int64_t>();
  if (off.dim() < 2 || first % off.size(-1) == 0
      || !off.flatten().narrow(0, first, off.numel() - first).all().item<bool>())
    return {};
  return fmt::format("the tail: everything from flat index {} on", first);
}

std::string describe_index(std::int64_t flat, c10::IntArrayRef shape) {
  std::vector<std::int64_t> index(shape.size());
  for (auto dimension = shape.size(); dimension-- > 0; flat /= shape[dimension])
    index[dimension] = flat % shape[dimension];
  return fmt::format("[{}]", fmt::join(index, ", "));
}

// -- how ------------------------------------------------------------------------------

std::string describe_not_finite(const at::Tensor& got) {
  auto count = got.numel();
  auto nans = got.isnan().sum().item<std::int64_t>();
  auto infinities = got.isinf().sum().item<std::int64_t>();
  if (nans + infinities == 0)
    return {};
  auto [n, what] = nans > 0 ? std::pair{nans, "NaN"} : std::pair{infinities, "infinite"};
  return n == count ? fmt::format("all of these are {}", what)
                    : fmt::format("{} of these are {}", n, what);
}

double largest(const at::Tensor& x) {
  return x.abs().max().item<double>();
}

std::string describe_map(const at::Tensor& expected, const at::Tensor& got) {
  if (largest(got) == 0)
    return "all of these are zero";
  if (expected.numel() < 2)
    return {};
  auto first = got[0].item<double>();
  if (largest(got - first) == 0)
    return fmt::format("all of these are {:.4g}", first);
  auto square = expected.square().sum().item<double>();
  auto factor = square > 0 ? (expected * got).sum().item<double>() / square : 1.0;
  if (std::abs(factor - 1) > 10 * explained
      && largest(got - factor * expected) <= explained * std::min(largest(got), largest(expected)))
    return fmt::format("off by a constant factor {:.2g}", factor);
  auto shift = (got - expected).mean().item<double>();
  if (largest(got - expected - shift) <= explained * std::abs(shift))
    return fmt::format("shifted by {:.2g}", shift);
  return {};
}

bool near(const at::Tensor& a, const at::Tensor& b) {
  return largest(a - b) <= explained * 0.1 * largest(b);
}

std::string describe_permutation(const at::Tensor& expected, const at::Tensor& got) {
  constexpr std::int64_t most_sorted = 1 << 22;
  if (expected.numel() < 2 || expected.numel() > most_sorted)
    return {};
  auto e = expected.to(at::kDouble);
  auto g = got.to(at::kDouble);
  if (!e.isfinite().all().item<bool>() || !g.isfinite().all().item<bool>() || near(g, e))
    return {};
  if (e.dim() >= 2 && e.size(-1) == e.size(-2) && near(g, e.transpose(-1, -2)))
    return "the last two dimensions are swapped";
  if (near(std::get<0>(g.flatten().sort()), std::get<0>(e.flatten().sort())))
    return "the right values in other places";
  return {};
}

// -- the worst ------------------------------------------------------------------------

std::string describe_element(const at::Tensor& expected, const at::Tensor& got, std::int64_t flat) {
  auto write = [&](const at::Tensor& x) {
    auto element = x.flatten()[flat];
    return x.is_floating_point() ? fmt::format("{:.4g}", element.item<double>())
                                 : fmt::format("{}", element.to(at::kLong).item<std::int64_t>());
  };
  auto left = write(expected);
  auto right = write(got);
  auto result =
    fmt::format("{} expected {}, got {}", describe_index(flat, expected.sizes()), left, right);
  if (left == right)
    result += fmt::format(" ({:.1e} more)", got.flatten()[flat].item<double>()
                                              - expected.flatten()[flat].item<double>());
  return result;
}

std::string describe_size(const wrong_element& x, double unit, policy rule) {
  if (!std::isfinite(x.error))
    return {};
  if (measures_in_eager_errors(rule))
    return fmt::format("; error {} times float32 eager's (allowed: {})", brief(x.error / unit),
                       brief(x.limit / unit));
  return fmt::format("; error {} (allowed: {})", brief(x.error), brief(x.limit));
}

} // namespace

std::string brief(double x) {
  auto text =
    std::abs(x) >= 10 && std::abs(x) < 1000 ? fmt::format("{:.0f}", x) : fmt::format("{:.2g}", x);
  auto exponent = text.find('e');
  if (exponent == std::string::npos)
    return text;
  return fmt::format("{}e{}", text.substr(0, exponent), std::stoi(text.substr(exponent + 1)));
}

std::string describe_place(const at::Tensor& off) {
  auto count = off.sum().item<std::int64_t>();
  if (count == off.numel())
    return "all of them";
  if (auto tail = describe_tail(off); !tail.empty())
    return tail;
  auto places = describe_dimensions(off);
  if (places.empty())
    return "scattered";
  return fmt::format("all in {}", fmt::join(places, " and "));
}

std::string describe_relation(const at::Tensor& expected, const at::Tensor& got,
                              const at::Tensor& off) {
  // An odd step meets all columns of a block whose size is a power of two.
  auto step = (off.numel() - 1) / most_related + 1;
  step += step % 2 == 0 ? 1 : 0;
  auto some = [&](const at::Tensor& x) { return x.flatten().slice(0, 0, x.numel(), step); };
  auto mask = some(off);
  auto e = some(expected).masked_select(mask).to(at::kDouble);
  auto g = some(got).masked_select(mask).to(at::kDouble);
  if (e.numel() == 0)
    return {};
  auto whole = step == 1 ? std::string{} : fmt::format(" (one in {} was looked at)", step);
  if (auto text = describe_not_finite(g); !text.empty())
    return text + whole;
  if (!e.isfinite().all().item<bool>())
    return "finite where NaN or infinity is expected" + whole;
  if (auto text = describe_map(e, g); !text.empty())
    return text + whole;
  return describe_permutation(expected, got);
}

std::string describe_errors(const leaf& expected, const at::Tensor& got,
                            const tensor_comparison& found, policy rule) {
  auto count = found.off.sum().item<std::int64_t>();
  auto total = found.off.numel();
  auto result = count == 1 ? fmt::format("{}: one element of {} off", expected.name, total)
                           : fmt::format("{}: {} of {} elements off", expected.name, count, total);
  if (count > 1)
    result += ", " + describe_place(found.off);
  if (auto text = describe_relation(expected.tensor, got, found.off); !text.empty())
    result += "; " + text;
  if (found.measured == precision::tf32 || found.measured == precision::half)
    result +=
      fmt::format("; the errors are as large as those of {} precision", to_string(found.measured));

  std::vector<std::string> elements;
  for (auto& x : found.worst)
    elements.push_back(describe_element(expected.tensor, got, x.index));
  return fmt::format("{}\nworst: {}{}", result, fmt::join(elements, "; "),
                     describe_size(found.worst.front(), found.unit, rule));
}

} // namespace lathe::verifier
