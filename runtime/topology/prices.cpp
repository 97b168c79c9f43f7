#include "runtime/topology/model_table.hpp"

#include <fmt/format.h>

namespace lathe::runtime {

namespace {

// Returns whether what every call costs is given.
bool read_prices(map_reader& reader, token_prices& x) {
  auto given = reader.read_money("input", x.input);
  x.cached_input = x.input;
  reader.read_money("cached_input", x.cached_input);
  reader.read_money("cache_write", x.cache_write);
  given &= reader.read_money("output", x.output);
  return given;
}

bool read_all(map_reader price, model_config& x) {
  auto given = read_prices(price, x.price);
  auto is_tiered = price.read("long_prompt", x.long_prompt, {1, 1e9});
  auto tier = price.inner("long");
  if (read_prices(tier, x.long_price) != is_tiered)
    price.refuse("long", "and long_prompt belong together: prompts of more than long_prompt tokens "
                         "cost 'long: {input: ..., output: ...}'");
  tier.finish();
  price.finish();
  return given;
}

// The last entry that fits counts.
bool look_up(const std::string& address, model_config& x, const block_context& context) {
  auto found = false;
  read_table("prices", subject_of(x, address), context, [&](map_reader& entry, bool fits) {
    model_config priced;
    std::string date;
    std::string source;
    for (auto [key, text] : {std::pair{"date", &date}, std::pair{"source", &source}})
      if (!entry.read(key, *text))
        entry.refuse(key, "is missing: prices change, so say when they were read and where");
    if (!read_all(entry.inner("price"), priced))
      entry.refuse("price", "needs input and output");
    if (!fits)
      return;
    found = true;
    x.price = priced.price;
    x.long_prompt = priced.long_prompt;
    x.long_price = priced.long_price;
    x.price_source = fmt::format("{} on {}", source, date);
  });
  return found;
}

} // namespace

bool read_price(map_reader& model, const std::string& address, model_config& x,
                const block_context& context) {
  auto own = model.find("price") != nullptr;
  auto given = read_all(model.inner("price"), x);
  return own ? given : look_up(address, x, context);
}

} // namespace lathe::runtime
