#include "gpu/verifier/tolerance.hpp"

#include "gpu/verifier/compute_device.hpp"
#include "gpu/verifier/tensor_parts.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

namespace lathe::verifier {

namespace {

// Unit round-offs, by `precision`: float32, TF32, bfloat16.
constexpr std::array<double, 3> round_off = {0x1p-24, 0x1p-11, 0x1p-8};

// How many units of error belong to a precision's class, however many a policy allows.
constexpr double class_width = 8;

// Without a float64 run, eager's error is taken to be this part of the spread: what sums over
// some thousands of products, a few layers deep, show.
constexpr double assumed_eager_error = 0x1p-17;

// Eager's error in units of TF32's round-off and the output's spread from which on eager itself
// multiplies in TF32, as convolutions on a GPU do unless told otherwise. One product shows 3.
constexpr double tf32_sign = 0.25;

// Then another algorithm may be off by this many of eager's errors, whatever k float32 is allowed.
constexpr double tf32_slack = 3;

// What the reference's output is like, over the elements that are finite.
struct output_scale {
  double eager_error = 0;
  double spread = 0;
  double largest = 0;
  double own_round_off = 0; // of the output's dtype
};

// Whatever eager's error is.
double least_unit(const output_scale& scale, precision x) {
  auto u = std::max(round_off[static_cast<std::size_t>(x)], scale.own_round_off);
  return std::max(
    {2 * u * scale.spread, u / 2 * scale.largest, double{std::numeric_limits<float>::min()}});
}

double unit_of(const output_scale& scale, precision x) {
  return std::max(scale.eager_error, least_unit(scale, x));
}

double least_tf32_error(const output_scale& scale) {
  return tf32_sign * round_off[static_cast<std::size_t>(precision::tf32)] * scale.spread;
}

// A single number has no spread, and one that hardly varies has little: what rounding to float32
// does to it is no sign of anything.
bool eager_is_tf32(const output_scale& scale) {
  return scale.own_round_off <= 0x1p-24 && scale.eager_error > least_tf32_error(scale)
         && scale.eager_error > class_width * least_unit(scale, precision::fp32);
}

double own_round_off(at::ScalarType type) {
  switch (type) {
    case at::kBFloat16:
      return 0x1p-8;
    case at::kHalf:
      return 0x1p-11;
    default:
      return 0x1p-24;
  }
}

bool is_half_type(at::ScalarType type) {
  return type == at::kHalf || type == at::kBFloat16;
}

// What it takes to say where an answer is wrong [bytes an element].
constexpr std::int64_t described_memory = 4;

// How many of the worst elements are worth telling.
constexpr std::int64_t most_told = 3;

// TF32 and float16 round alike, so the size of an error cannot tell them apart; an answer whose
// every element fits 16 bits can, unless the expected one's do as well (zeros, ones, labels).
class half_signs {
public:
  void add(const at::Tensor& expected, const at::Tensor& got) {
    for (auto& sign : signs_) {
      auto fits = [&](const at::Tensor& x) { return x.to(sign.type).to(at::kDouble).equal(x); };
      sign.got = sign.got && fits(got);
      sign.expected = sign.got && sign.expected && fits(expected);
    }
  }

  bool came_through_half() const {
    return std::ranges::any_of(signs_, [](const sign& x) { return x.got && !x.expected; });
  }

  bool may_be_half() const {
    return std::ranges::any_of(signs_, &sign::got);
  }

private:
  struct sign {
    at::ScalarType type;
    bool got = true; // all of it fits
    bool expected = true;
  };

  std::array<sign, 2> signs_{{{at::kHalf}, {at::kBFloat16}}};
};

// What all parts together are like.
class survey {
public:
  /// @param told whether it shall be found out what came through half
  survey(const tensor_parts& all, bool have_exact, bool told) {
    auto count = all.count();
    if (count == 0)
      return;
    // The device is waited for once, not for each part: where many share it, that takes as long as
    // the work itself.
    std::vector<at::Tensor> rows;
    for (std::int64_t i = 0; i < count; ++i)
      rows.push_back(look_at(all.part_if_finite(i), have_exact));
    auto seen = at::stack(rows).cpu();
    for (std::int64_t i = 0; i < count; ++i) {
      auto* row = seen[i].const_data_ptr<double>();
      if (!std::isfinite(row[whether_finite]))
        seen[i].copy_(look_at(all.part(i), have_exact));
      add(row);
    }
    for (std::int64_t i = 0; i < count && told && halves_.may_be_half(); ++i) {
      auto x = all.part(i);
      halves_.add(x.where_finite(x.expected), x.where_finite(x.got));
    }
  }

  output_scale scale(bool have_exact, double own_round_off) const {
    output_scale result;
    result.spread = count_ > 0 ? std::sqrt(squares_ / count_) : 0;
    result.largest = largest_;
    result.eager_error = have_exact ? eager_error_ : assumed_eager_error * result.spread;
    result.own_round_off = own_round_off;
    return result;
  }

  double worst() const {
    return worst_;
  }

  /// No less than the largest error that a policy measures, and just that where it measures in
  /// eager's errors.
  double worst_from(policy x) const {
    return measures_in_eager_errors(x) ? worst_ : worst_ + eager_error_;
  }

  bool came_through_half() const {
    return halves_.came_through_half();
  }

private:
  // What is seen of a part, by place in its row.
  enum place : std::uint8_t {
    finite_elements,
    mean,
    squares, // of the distances from the mean
    largest,
    eager_error,
    worst_error,
    whether_finite,
  };

  // Returns a row, on the device.
  static at::Tensor look_at(const tensor_part& x, bool have_exact) {
    auto exact = x.where_finite(x.exact);
    auto none = at::zeros({}, exact.options());
    auto is_empty = exact.numel() == 0;
    auto center = is_empty ? none : exact.mean();
    return at::stack({
      at::full({}, static_cast<double>(exact.numel()), exact.options()),
      center,
      is_empty ? none : (exact - center).square().sum(),
      is_empty ? none : exact.abs().max(),
      is_empty || !have_exact ? none : (x.where_finite(x.expected) - exact).abs().max(),
      x.distance(x.exact).max(),
      x.sum(),
    });
  }

  void add(const double* row) {
    worst_ = std::max(worst_, row[worst_error]);
    if (row[finite_elements] == 0)
      return;
    merge(row[finite_elements], row[mean], row[squares]);
    largest_ = std::max(largest_, row[largest]);
    eager_error_ = std::max(eager_error_, row[eager_error]);
  }

  // Means and sums of squares of two sets, as of their union.
  void merge(double count, double mean, double squares) {
    auto all = count_ + count;
    auto shift = mean - mean_;
    mean_ += shift * count / all;
    squares_ += squares + shift * shift * count_ * count / all;
    count_ = all;
  }

  double count_ = 0;
  double mean_ = 0;
  double squares_ = 0; // of the distances from the mean
  double largest_ = 0;
  double eager_error_ = 0;
  double worst_ = 0;
  half_signs halves_;
};

precision classify(double worst, const output_scale& scale) {
  auto holds = [&](precision x) { return worst <= class_width * unit_of(scale, x); };
  auto is_fp32 = eager_is_tf32(scale) ? worst <= least_tf32_error(scale) : holds(precision::fp32);
  if (is_fp32)
    return precision::fp32;
  for (auto x : {precision::tf32, precision::half})
    if (holds(x))
      return x;
  return precision::worse;
}

// What any element may be off by, whatever its value.
double least_limit(const output_scale& scale, at::ScalarType type, const tolerance& allowed) {
  switch (allowed.policy) {
    case policy::fp32:
      return (eager_is_tf32(scale) ? std::min(allowed.k, tf32_slack) : allowed.k)
             * unit_of(scale, precision::fp32);
    case policy::tf32:
      return allowed.k * unit_of(scale, precision::tf32);
    case policy::half:
      return allowed.k * unit_of(scale, precision::half);
    case policy::kernelbench:
      return is_half_type(type) ? 1e-2 : 1e-4;
    case policy::pike:
      return 1e-2;
  }
  return 0;
}

// torch.allclose(reference, candidate) scales rtol by its second argument.
at::Tensor limit_of(const output_scale& scale, const at::Tensor& got, at::ScalarType type,
                    const tolerance& allowed) {
  auto least = least_limit(scale, type, allowed);
  if (measures_in_eager_errors(allowed.policy))
    return at::scalar_tensor(least, at::kDouble);
  return least + least * got.abs().nan_to_num(0, 0, 0);
}

// The first ones: none is worse than the others.
std::vector<wrong_element> first_of(const at::Tensor& off) {
  constexpr std::int64_t piece = 1 << 20; // indexes take eight times the mask's memory
  constexpr auto infinite = std::numeric_limits<double>::infinity();
  std::vector<wrong_element> result;
  auto flat = off.flatten();
  for (std::int64_t begin = 0; begin < flat.numel() && result.empty(); begin += piece) {
    auto found = flat.narrow(0, begin, std::min(piece, flat.numel() - begin)).nonzero().flatten();
    for (std::int64_t i = 0; i < std::min(found.numel(), most_told); ++i)
      result.push_back({begin + found[i].item<std::int64_t>(), infinite, 0});
  }
  return result;
}

tensor_comparison compare_discrete(const at::Tensor& expected, const at::Tensor& got,
                                   detail wanted) {
  tensor_comparison result;
  auto off = expected != got;
  result.agrees = !off.any().item<bool>();
  if (result.agrees)
    return result;
  result.ratio = worst_ratio;
  result.measured = precision::worse;
  if (wanted == detail::verdict)
    return result;
  result.off = off.to(place_with_room(described_memory * expected.numel()));
  result.worst = first_of(result.off);
  return result;
}

// What an answer's elements may be off by, and are.
struct element_errors {
  at::Tensor error;
  at::Tensor limit;
  at::Tensor off;
};

element_errors errors_of(const tensor_part& x, const output_scale& scale, at::ScalarType type,
                         const tolerance& allowed) {
  element_errors result;
  result.error = x.distance(measures_in_eager_errors(allowed.policy) ? x.exact : x.expected);
  result.limit = limit_of(scale, x.got, type, allowed);
  result.off = result.error > result.limit;
  return result;
}

bool agrees_one_by_one(const tensor_parts& all, const output_scale& scale, at::ScalarType type,
                       const tolerance& allowed) {
  for (std::int64_t i = 0; i < all.count(); ++i)
    if (errors_of(all.part(i), scale, type, allowed).off.any().item<bool>())
      return false;
  return true;
}

void add_worst(std::vector<wrong_element>& worst, const element_errors& found, std::int64_t begin) {
  auto count = std::min(found.off.sum().item<std::int64_t>(), most_told);
  if (count == 0)
    return;
  auto [errors, places] = found.error.masked_fill(found.off.logical_not(), -1).topk(count);
  for (std::int64_t i = 0; i < count; ++i) {
    auto place = places[i].item<std::int64_t>();
    auto limit = found.limit.dim() == 0 ? found.limit : found.limit[place];
    worst.push_back({begin + place, errors[i].item<double>(), limit.item<double>()});
  }
  std::ranges::stable_sort(worst, std::greater{}, &wrong_element::error);
  worst.resize(std::min(worst.size(), static_cast<std::size_t>(most_told)));
}

void describe(tensor_comparison& result, const tensor_parts& all, const output_scale& scale,
              const at::Tensor& expected, const tolerance& allowed) {
  auto where = place_with_room(described_memory * expected.numel());
  std::vector<at::Tensor> offs;
  std::int64_t begin = 0;
  for (std::int64_t i = 0; i < all.count(); ++i) {
    auto found = errors_of(all.part(i), scale, expected.scalar_type(), allowed);
    add_worst(result.worst, found, begin);
    begin += found.off.numel();
    offs.push_back(found.off.to(where));
  }
  result.off = (offs.size() == 1 ? offs.front() : at::cat(offs)).view(expected.sizes());
}

} // namespace

bool measures_in_eager_errors(policy x) {
  return x == policy::fp32 || x == policy::tf32 || x == policy::half;
}

tensor_comparison compare(const at::Tensor& expected, const at::Tensor& correction,
                          const at::Tensor& got, const tolerance& allowed, detail wanted) {
  if (!expected.is_floating_point())
    return compare_discrete(expected, got, wanted);
  auto type = expected.scalar_type();
  tensor_parts all{expected, correction, got};
  survey seen{all, correction.defined(), !is_half_type(type)};
  auto scale = seen.scale(correction.defined(), own_round_off(type));
  tensor_comparison result;
  result.unit = unit_of(scale, precision::fp32);
  result.ratio = std::min(seen.worst() / result.unit, worst_ratio);
  result.measured = classify(seen.worst(), scale);
  if (is_half_type(type) || seen.came_through_half())
    result.measured = std::max(result.measured, precision::half);
  result.agrees = seen.worst_from(allowed.policy) <= least_limit(scale, type, allowed);
  if (!result.agrees && !measures_in_eager_errors(allowed.policy))
    result.agrees = agrees_one_by_one(all, scale, type, allowed);
  if (!result.agrees && wanted == detail::evidence)
    describe(result, all, scale, expected, allowed);
  return result;
}

} // namespace lathe::verifier
