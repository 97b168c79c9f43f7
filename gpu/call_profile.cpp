#include "gpu/call_profile.hpp"

#include "messages/error.hpp"

#include <simdjson.h>

#include <algorithm>

namespace lathe::gpu {

namespace {

using simdjson::dom::element;

// A name from a process that ran foreign code goes to terminals and into prompts.
constexpr std::size_t longest_name = 120;
constexpr std::size_t longest_symbol = 4096;

// What is told beyond that is left out.
constexpr std::size_t most_kernels = 64;

// CUDA's limits, and what no device comes near.
constexpr std::array<std::int64_t, 3> largest_grid{(1LL << 31) - 1, 65'535, 65'535};
constexpr std::array<std::int64_t, 3> largest_block{1024, 1024, 64};
constexpr std::int64_t most_threads = 1024;
constexpr std::int64_t most_of_anything = 1 << 30;

double number(const element& x, std::string_view key) {
  double value = 0;
  return x[key].get(value) == simdjson::SUCCESS && value >= 0 && value < 1e18 ? value : 0;
}

std::int64_t whole(const element& x, std::string_view key) {
  return static_cast<std::int64_t>(std::min(number(x, key), double{most_of_anything}));
}

bool flag(const element& x, std::string_view key) {
  bool value = false;
  return x[key].get(value) == simdjson::SUCCESS && value;
}

std::string text(const element& x, std::string_view key) {
  std::string_view value;
  return x[key].get(value) == simdjson::SUCCESS ? std::string{value} : std::string{};
}

std::string for_people(std::string name) {
  std::erase_if(name, [](char c) { return c < ' ' || c > '~' || c == '`'; });
  if (name.size() > longest_name) {
    name.resize(longest_name);
    name += "...";
  }
  return name;
}

// Nothing where CUDA would not have launched it.
std::array<std::int64_t, 3> dimensions(const element& x, std::string_view key,
                                       const std::array<std::int64_t, 3>& largest) {
  std::array<std::int64_t, 3> result{};
  simdjson::dom::array values;
  if (x[key].get(values) != simdjson::SUCCESS)
    return result;
  std::size_t i = 0;
  for (auto value : values) {
    std::int64_t n = 0;
    if (i == result.size() || value.get(n) != simdjson::SUCCESS || n < 1 || n > largest[i])
      return {};
    result[i++] = n;
  }
  return result;
}

std::optional<double> known(const element& x, std::string_view key) {
  double value = 0;
  return x[key].get(value) == simdjson::SUCCESS && value >= 0 ? std::optional{value} : std::nullopt;
}

profile_event event_from(const element& x) {
  constexpr auto nanosecond = 1e-9;
  profile_event result;
  result.kind = for_people(text(x, "kind"));
  result.symbol = text(x, "symbol").substr(0, longest_symbol);
  result.name = for_people(text(x, "name"));
  result.start = nanosecond * number(x, "start_ns");
  result.seconds = nanosecond * number(x, "ns");
  result.bytes = number(x, "bytes");
  result.calls = std::max<std::int64_t>(1, whole(x, "calls"));
  result.stream = whole(x, "stream");
  result.graph = flag(x, "graph");
  result.grid = dimensions(x, "grid", largest_grid);
  result.block = dimensions(x, "block", largest_block);
  result.registers = whole(x, "registers");
  result.shared = whole(x, "static_shared") + whole(x, "dynamic_shared");
  result.local = whole(x, "local");
  return result;
}

kernel_code code_from(const element& x) {
  return {flag(x, "tensor_cores"),  number(x, "arithmetic"),   known(x, "efficiency"),
          known(x, "conflicts"),    number(x, "shared_share"), number(x, "atomic_share"),
          known(x, "same_address"), whole(x, "stack")};
}

device_limits limits_from(const element& x) {
  return {whole(x, "multiprocessors"), whole(x, "threads"),
          whole(x, "blocks"),          whole(x, "registers"),
          whole(x, "shared"),          std::max<std::int64_t>(1, whole(x, "warp"))};
}

std::int64_t volume(const std::array<std::int64_t, 3>& x) {
  return x[0] * x[1] * x[2];
}

// How many of `size` fit, when each is rounded up to `unit`.
std::int64_t how_many(std::int64_t all, std::int64_t size, std::int64_t unit) {
  auto rounded = (size + unit - 1) / unit * unit;
  return rounded > 0 ? all / rounded : 0;
}

} // namespace

caf::expected<call_profile> parse_profile(std::string_view json) {
  simdjson::dom::parser parser;
  element root;
  simdjson::dom::array events;
  if (parser.parse(simdjson::padded_string{json}).get(root) != simdjson::SUCCESS
      || root["events"].get(events) != simdjson::SUCCESS)
    return make_error(errc::evaluator_failed, "the profile cannot be read");
  call_profile result;
  for (auto item : events)
    if (result.events.size() < static_cast<std::size_t>(most_events))
      result.events.push_back(event_from(item));
  result.complete = flag(root, "complete");
  if (element limits; root["limits"].get(limits) == simdjson::SUCCESS)
    result.limits = limits_from(limits);
  return result;
}

std::map<std::string, kernel_code> parse_code(std::string_view json) {
  std::map<std::string, kernel_code> result;
  simdjson::dom::parser parser;
  if (simdjson::dom::object root;
      parser.parse(simdjson::padded_string{json}).get(root) == simdjson::SUCCESS)
    for (auto [symbol, facts] : root)
      if (result.size() < most_kernels)
        result.emplace(symbol.substr(0, longest_symbol), code_from(facts));
  return result;
}

// CUDA's occupancy calculation: a quarter of the registers is for a quarter of the warps, in units
// of 256 for each; shared memory goes to blocks in units of 128 bytes, with 1 KiB for the driver
// from Ampere on, whose multiprocessors have more than 96 KiB.
occupancy occupancy_of(const profile_event& kernel, const device_limits& limits) {
  constexpr std::int64_t quarters = 4;
  constexpr std::int64_t register_unit = 256;
  constexpr std::int64_t shared_unit = 128;
  constexpr std::int64_t shared_before_ampere = 96 << 10;
  auto threads = volume(kernel.block);
  if (limits.threads == 0 || threads < 1 || threads > most_threads)
    return {};
  auto warps = (threads + limits.warp - 1) / limits.warp;
  struct limit {
    std::int64_t blocks;
    const char* name;
  };
  std::vector<limit> all{{limits.blocks, "blocks"},
                         {limits.threads / (warps * limits.warp), "block size"}};
  if (kernel.registers > 0)
    all.push_back(
      {quarters
         * how_many(limits.registers / quarters, kernel.registers * limits.warp, register_unit)
         / warps,
       "registers"});
  if (kernel.shared > 0) {
    auto driver = limits.shared > shared_before_ampere ? 1024 : 0;
    all.push_back({how_many(limits.shared, kernel.shared + driver, shared_unit), "shared memory"});
  }
  auto least = *std::ranges::min_element(all, {}, &limit::blocks);
  occupancy result;
  result.blocks = std::max<std::int64_t>(1, least.blocks); // it ran
  result.share = std::min(1.0, static_cast<double>(result.blocks * warps * limits.warp)
                                 / static_cast<double>(limits.threads));
  if (result.share < 1)
    result.limiter = least.name;
  return result;
}

} // namespace lathe::gpu
