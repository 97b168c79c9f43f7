#include "llm_clients/script.hpp"

#include "messages/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <tuple>

namespace lathe::llm_clients {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view white = " \t\r";

std::string_view trim(std::string_view text) {
  auto first = text.find_first_not_of(white);
  if (first == std::string_view::npos)
    return {};
  return text.substr(first, text.find_last_not_of(white) - first + 1);
}

// Takes the first line off `text`, without its line feed.
std::string_view take_line(std::string_view& text) {
  auto end = text.find('\n');
  auto line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

// Reads a number of zero or more that makes up the whole text.
template <class Number>
bool read_number(std::string_view text, Number& x) {
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), x);
  return code == std::errc{} && end == text.data() + text.size() && x >= 0;
}

bool read_tokens(std::string_view text, scripted_answer& x) {
  auto space = text.find(' ');
  if (space == std::string_view::npos)
    return false;
  x.tokens.emplace();
  return read_number(trim(text.substr(0, space)), x.tokens->first)
         && read_number(trim(text.substr(space)), x.tokens->second);
}

bool read_header_line(std::string_view key, std::string_view value, scripted_answer& x) {
  if (key == "match")
    x.match.emplace_back(value);
  else if (key == "not")
    x.reject.emplace_back(value);
  else if (key == "delay")
    return read_number(value, x.delay);
  else if (key == "tokens")
    return read_tokens(value, x);
  else if (key == "finish")
    x.finish = value;
  else
    return false;
  return !value.empty();
}

bool holds(const scripted_answer& x, const llm_request& question) {
  auto occurs = [&](const std::string& text) {
    auto follows = [&](const follow_up& y) { return y.prompt.find(text) != std::string::npos; };
    return question.system.find(text) != std::string::npos
           || question.prompt.find(text) != std::string::npos
           || std::ranges::any_of(question.follow_ups, follows);
  };
  return std::all_of(x.match.begin(), x.match.end(), occurs)
         && std::none_of(x.reject.begin(), x.reject.end(), occurs);
}

caf::expected<std::vector<scripted_answer>> load_role(const fs::path& folder) {
  std::vector<scripted_answer> result;
  std::error_code code;
  for (fs::directory_iterator i{folder, code}, end; !code && i != end; i.increment(code)) {
    if (i->path().extension() != ".md")
      continue;
    std::ifstream in{i->path(), std::ios::binary};
    std::string text{std::istreambuf_iterator<char>{in}, {}};
    if (in.bad() || !in.is_open())
      return make_error(errc::user_error, i->path().string() + " cannot be read");
    auto answer = parse_scripted_answer(i->path().string(), text);
    if (!answer)
      return std::move(answer.error());
    result.push_back(std::move(*answer));
  }
  if (code)
    return make_error(errc::user_error,
                      fmt::format("{} cannot be read: {}", folder.string(), code.message()));
  std::sort(result.begin(), result.end(),
            [](const auto& x, const auto& y) { return x.path < y.path; });
  return result;
}

} // namespace

caf::expected<scripted_answer> parse_scripted_answer(std::string path, std::string_view text) {
  scripted_answer result;
  for (int number = 1; !text.empty(); ++number) {
    auto line = trim(take_line(text));
    if (line == "---") {
      result.path = std::move(path);
      result.text = text;
      return result;
    }
    auto colon = line.find(':');
    auto value = colon == std::string_view::npos ? "" : trim(line.substr(colon + 1));
    if (!read_header_line(line.substr(0, colon), value, result))
      return make_error(errc::user_error,
                        fmt::format("{}:{}: expected 'match: text', 'not: text', 'delay: seconds', "
                                    "'tokens: in out', 'finish: reason' or '---', found '{}'",
                                    path, number, line));
  }
  return make_error(errc::user_error, path + ": no line '---' before the answer");
}

caf::expected<script> script::load(const fs::path& folder) {
  std::error_code code;
  std::map<std::string, std::vector<scripted_answer>> answers;
  for (fs::directory_iterator i{folder, code}, end; !code && i != end; i.increment(code)) {
    if (!i->is_directory(code))
      continue;
    auto of_role = load_role(i->path());
    if (!of_role)
      return std::move(of_role.error());
    answers[i->path().filename().string()] = std::move(*of_role);
  }
  if (code)
    return make_error(errc::user_error, fmt::format("the folder of scripted answers {} cannot be "
                                                    "read: {}",
                                                    folder.string(), code.message()));
  return script{folder.string(), std::move(answers)};
}

script::script(std::string folder, std::map<std::string, std::vector<scripted_answer>> answers)
  : folder_(std::move(folder)), answers_(std::move(answers)) {
  // nop
}

caf::expected<scripted_answer> script::choose(const llm_request& question) {
  const scripted_answer* best = nullptr;
  auto rank = [&](const scripted_answer& x) {
    return std::tuple{-static_cast<std::ptrdiff_t>(x.match.size()),
                      given_[{question.session, x.path}]};
  };
  for (const auto& x : answers_[question.role])
    if (holds(x, question) && (!best || rank(x) < rank(*best)))
      best = &x;
  if (!best)
    return make_error(
      errc::provider_failed,
      fmt::format("no scripted answer for role '{}' fits this prompt; looked in {}/{}",
                  question.role, folder_, question.role));
  ++given_[{question.session, best->path}];
  return *best;
}

} // namespace lathe::llm_clients
