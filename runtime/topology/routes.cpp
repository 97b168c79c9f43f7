#include "runtime/topology/blocks.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lathe::runtime {

namespace {

// One route as it is written: `source.port -> target` or `source.port -> [a, b]`.
struct route_text {
  std::string source;
  std::string port;
  std::vector<std::string> targets;
};

std::string_view trim(std::string_view x) {
  auto begin = x.find_first_not_of(" \t");
  auto end = x.find_last_not_of(" \t");
  return begin == std::string_view::npos ? std::string_view{} : x.substr(begin, end - begin + 1);
}

std::vector<std::string> split(std::string_view x, char separator) {
  std::vector<std::string> result;
  for (;;) {
    auto end = x.find(separator);
    result.emplace_back(trim(x.substr(0, end)));
    if (end == std::string_view::npos)
      return result;
    x.remove_prefix(end + 1);
  }
}

bool is_word(const std::string& x) {
  return !x.empty() && x.find_first_of(" \t.,[]>") == std::string::npos;
}

std::optional<route_text> parse_route(std::string_view text) {
  auto arrow = text.find("->");
  if (arrow == std::string_view::npos)
    return std::nullopt;
  auto from = split(text.substr(0, arrow), '.');
  auto to = trim(text.substr(arrow + 2));
  if (to.size() >= 2 && to.front() == '[' && to.back() == ']')
    to = to.substr(1, to.size() - 2);
  else if (to.find(',') != std::string_view::npos)
    return std::nullopt;
  if (from.size() == 1)
    from.emplace_back();
  auto result = route_text{from[0], from[1], split(to, ',')};
  auto whole = from.size() == 2 && is_word(result.source)
               && (result.port.empty() || is_word(result.port))
               && std::all_of(result.targets.begin(), result.targets.end(), is_word);
  return whole ? std::optional{std::move(result)} : std::nullopt;
}

// One entry per output, whatever the number of lines it was written in.
void add_target(std::vector<route>& routes, const wire& x) {
  auto same = [&](const route& r) { return r.source == x.source && r.port == x.port; };
  auto i = std::find_if(routes.begin(), routes.end(), same);
  if (i == routes.end())
    i = routes.insert(i, route{x.source, x.port, {}});
  i->targets.push_back(x.target);
}

} // namespace

std::string wire::output() const {
  return port.empty() ? source : source + "." + port;
}

std::string wire::text() const {
  return output() + " -> " + target;
}

void read_routes(const yaml_node* routes, const place& at, raw_topology& x,
                 const block_context& context) {
  constexpr auto form = "'coder.candidate -> evaluator' or 'task -> [planner, recipes]'";
  if (!routes || routes->type != yaml_node::kind::list) {
    context.mistakes.add(at, routes
                               ? fmt::format("routes must be a list of lines such as {}, not {}",
                                             form, what_it_is(*routes))
                               : fmt::format("there are no routes: add 'routes:' with lines "
                                             "such as {}",
                                             form));
    x.complete = false;
    return;
  }
  for (const auto& item : routes->items) {
    auto parsed = item.type == yaml_node::kind::scalar ? parse_route(item.text) : std::nullopt;
    if (!parsed) {
      context.mistakes.add(
        item.at, fmt::format("a route is a line such as {}, not {}", form, what_it_is(item)));
      x.complete = false;
      continue;
    }
    for (const auto& target : parsed->targets) {
      x.wires.push_back({parsed->source, parsed->port, target, item.at});
      add_target(x.value.routes, x.wires.back());
    }
  }
}

} // namespace lathe::runtime
