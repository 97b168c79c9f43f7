#include "gpu/processes/reply.hpp"

#include <simdjson.h>

namespace lathe::gpu {

using simdjson::dom::element;

struct reply::document {
  simdjson::dom::parser parser;
  element root;
};

namespace {

template <class T>
std::optional<T> look_up(const element& root, std::string_view key) {
  T result;
  if (root[key].get(result) != simdjson::SUCCESS)
    return std::nullopt;
  return result;
}

template <class T, class Item>
std::optional<std::vector<T>> look_up_all(const element& root, std::string_view key) {
  simdjson::dom::array array;
  if (root[key].get(array) != simdjson::SUCCESS)
    return std::nullopt;
  std::vector<T> result;
  for (auto entry : array) {
    Item item;
    if (entry.get(item) != simdjson::SUCCESS)
      return std::nullopt;
    result.emplace_back(item);
  }
  return result;
}

// A kind that is not listed is a candidate's own invention, or a bug that the message explains.
outcome outcome_of(std::string_view kind) {
  if (kind == "build_failed")
    return outcome::build_failed;
  if (kind == "out_of_memory")
    return outcome::out_of_memory;
  if (kind == "refused")
    return outcome::refused;
  if (kind == "too_large")
    return outcome::incorrect;
  return outcome::crashed;
}

failure read_failure(const element& root) {
  failure result;
  result.how = outcome_of(look_up<std::string_view>(root, "kind").value_or(""));
  result.message = look_up<std::string_view>(root, "message").value_or("");
  if (result.message.empty())
    result.message = "it failed without a word";
  result.summary = look_up<std::string_view>(root, "summary").value_or("");
  if (result.summary.empty())
    result.summary = result.message;
  result.line = look_up<std::int64_t>(root, "line");
  result.rule = look_up<std::string_view>(root, "rule").value_or("");
  return result;
}

} // namespace

reply::reply() = default;
reply::reply(reply&&) noexcept = default;
reply& reply::operator=(reply&&) noexcept = default;
reply::~reply() = default;

reply reply::failed(outcome how, std::string message) {
  return failed(failure{how, message, message, std::nullopt});
}

reply reply::failed(failure why) {
  reply result;
  result.problem_ = std::move(why);
  return result;
}

reply reply::refused(std::string rule, std::string evidence) {
  auto result = failed(outcome::refused, std::move(evidence));
  result.problem_->rule = std::move(rule);
  return result;
}

reply reply::parse(std::string_view text, std::uint64_t id, std::vector<unique_fd> fds) {
  reply result;
  result.document_ = std::make_unique<document>();
  auto& [parser, root] = *result.document_;
  if (parser.parse(text.data(), text.size()).get(root) != simdjson::SUCCESS || !root.is_object())
    return failed(outcome::crashed, "its process sent something that is not JSON");
  // A thread of the candidate may break a rule at any time; its refusal answers whatever is asked.
  auto is_refusal = look_up<std::string_view>(root, "kind") == "refused";
  if (look_up<std::uint64_t>(root, "id") != id && !is_refusal)
    return failed(outcome::crashed, "its process answered something that nobody asked");
  if (!result.flag("ok").value_or(false))
    result.problem_ = read_failure(root);
  result.fds = std::move(fds);
  return result;
}

std::optional<bool> reply::flag(std::string_view key) const {
  return document_ ? look_up<bool>(document_->root, key) : std::nullopt;
}

std::optional<std::int64_t> reply::integer(std::string_view key) const {
  return document_ ? look_up<std::int64_t>(document_->root, key) : std::nullopt;
}

std::optional<std::vector<std::int64_t>> reply::integers(std::string_view key) const {
  return document_ ? look_up_all<std::int64_t, std::int64_t>(document_->root, key) : std::nullopt;
}

std::optional<std::string> reply::text(std::string_view key) const {
  if (!document_)
    return std::nullopt;
  auto found = look_up<std::string_view>(document_->root, key);
  return found ? std::optional<std::string>{*found} : std::nullopt;
}

std::optional<std::vector<std::string>> reply::texts(std::string_view key) const {
  return document_ ? look_up_all<std::string, std::string_view>(document_->root, key)
                   : std::nullopt;
}

std::optional<farewell> parse_farewell(std::string_view text) {
  simdjson::dom::parser parser;
  element root;
  if (parser.parse(text.data(), text.size()).get(root) != simdjson::SUCCESS)
    return std::nullopt;
  element ended;
  if (root["ended"].get(ended) != simdjson::SUCCESS)
    return std::nullopt;
  if (auto name = look_up<std::string_view>(ended, "signal"))
    return farewell{std::string{*name}, look_up<bool>(ended, "init").value_or(false)};
  return farewell{"exit " + std::to_string(look_up<std::int64_t>(ended, "exit").value_or(0)),
                  false};
}

} // namespace lathe::gpu
