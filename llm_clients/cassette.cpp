#include "llm_clients/cassette.hpp"

#include "llm_clients/json_fields.hpp"
#include "llm_clients/json_text.hpp"
#include "llm_clients/log.hpp"
#include "messages/content_hash.hpp"
#include "messages/error.hpp"

#include <fmt/format.h>
#include <simdjson.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <functional>
#include <set>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lathe {

template <>
struct enum_names<llm_clients::failure_kind> {
  static constexpr std::array<std::string_view, 4> value = {"retry", "refuse", "fail", "wait"};
};

} // namespace lathe

namespace lathe::llm_clients {

namespace dom = simdjson::dom;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view format_name = "lathe-cassette";
constexpr std::int64_t format_version = 1;

// The text as it reads back after it was written.
std::string valid_utf8(std::string text) {
  if (simdjson::validate_utf8(text))
    return text;
  dom::parser parser;
  std::string_view result;
  auto status = parser.parse(json_string(text)).get(result);
  return status == simdjson::SUCCESS ? std::string{result} : std::string{};
}

std::string key_of(const recorded_exchange& x) {
  return fmt::format("{}#{}", x.hash, x.attempt);
}

// -- writing ----------------------------------------------------------------------------

std::string follow_ups_field(const llm_request& x) {
  std::string list;
  for (const auto& y : x.follow_ups)
    list += fmt::format(R"({}{{"answer":{},"prompt":{}}})", list.empty() ? "" : ",",
                        json_string(y.answer), json_string(y.prompt));
  return list.empty() ? list : fmt::format(R"(,"follow_ups":[{}])", list);
}

std::string question_fields(const llm_request& x) {
  return fmt::format(
    R"("session":{},"request":{},"agent":{},"role":{},"model":{},"system":{},"prompt":{}{})",
    json_string(x.session), x.request, json_string(x.agent), json_string(x.role),
    json_string(x.model), json_string(x.system), json_string(x.prompt), follow_ups_field(x));
}

std::string outcome_field(const llm_answer& x) {
  return fmt::format(R"("answer":{{"text":{},"model":{},"finish":{},"queries":{},)"
                     R"("input_tokens":{},"cached_input_tokens":{},"output_tokens":{},)"
                     R"("reasoning_tokens":{},"usd":{},"seconds":{}}})",
                     json_string(x.text), json_string(x.model), json_string(x.finish),
                     x.cost.queries, x.cost.input_tokens, x.cost.cached_input_tokens,
                     x.cost.output_tokens, x.cost.reasoning_tokens, x.cost.usd, x.seconds);
}

std::string outcome_field(const failure& x) {
  return fmt::format(R"("failure":{{"kind":"{}","sentence":{},"retry_after_ms":{},)"
                     R"("may_be_charged":{},"unreached":{},"status":{}}})",
                     lathe::to_string(x.kind), json_string(x.sentence), x.retry_after.count(),
                     x.may_be_charged, x.unreached, x.status);
}

// -- reading ----------------------------------------------------------------------------

bool read_key(std::string_view key, recorded_exchange& x) {
  auto mark = std::min(key.find('#'), key.size());
  auto number = key.substr(std::min(mark + 1, key.size()));
  auto end = number.data() + number.size();
  auto [read_to, code] = std::from_chars(number.data(), end, x.attempt);
  x.hash = key.substr(0, mark);
  return code == std::errc{} && read_to == end && x.attempt > 0;
}

llm_request read_question(field_reader& fields) {
  llm_request result{fields.text("session"), fields.get<std::uint64_t>("request"),
                     fields.text("agent"),   fields.text("role"),
                     fields.text("model"),   fields.text("system"),
                     fields.text("prompt")};
  // Most questions have none. What is not read as it was written does not fit the key.
  each_at(fields.object, "follow_ups", [&](dom::element x) {
    result.follow_ups.push_back({text_at(x, "answer"), text_at(x, "prompt")});
  });
  return result;
}

llm_answer read_answer(field_reader& fields) {
  llm_answer result;
  result.text = fields.text("text");
  result.model = fields.text("model");
  result.finish = fields.text("finish");
  result.cost.queries = fields.number<std::int64_t>("queries");
  result.cost.input_tokens = fields.number<std::int64_t>("input_tokens");
  result.cost.cached_input_tokens = fields.number<std::int64_t>("cached_input_tokens");
  result.cost.output_tokens = fields.number<std::int64_t>("output_tokens");
  result.cost.reasoning_tokens = fields.number<std::int64_t>("reasoning_tokens");
  result.cost.usd = fields.number<double>("usd");
  result.seconds = fields.get<double>("seconds");
  return result;
}

failure read_failure(field_reader& fields) {
  failure result;
  if (!from_string(fields.get<std::string_view>("kind"), result.kind) && fields.missing.empty())
    fields.missing = "kind";
  result.sentence = fields.text("sentence");
  result.retry_after = std::chrono::milliseconds{fields.number<std::int64_t>("retry_after_ms")};
  result.may_be_charged = fields.get<bool>("may_be_charged");
  result.unreached = fields.get<bool>("unreached");
  result.status = static_cast<unsigned>(fields.number<std::int64_t>("status"));
  return result;
}

std::string read_outcome(const dom::element& line, reply& outcome) {
  field_reader fields;
  if (line["answer"].get(fields.object) == simdjson::SUCCESS)
    outcome = read_answer(fields);
  else if (line["failure"].get(fields.object) == simdjson::SUCCESS)
    outcome = read_failure(fields);
  else
    return "neither 'answer' nor 'failure'";
  return fields.missing.empty() ? "" : fmt::format("no valid '{}'", fields.missing);
}

// Returns what is wrong with the line, or nothing.
std::string read_exchange(dom::parser& parser, std::string_view line, recorded_exchange& x) {
  field_reader fields;
  auto status = parser.parse(line.data(), line.size()).get(fields.object);
  if (status != simdjson::SUCCESS)
    return fmt::format("not JSON: {}", simdjson::error_message(status));
  auto has_key = read_key(fields.get<std::string_view>("key"), x);
  x.asked = fields.get<std::uint64_t>("asked");
  x.question = read_question(fields);
  if (!fields.missing.empty())
    return fmt::format("no valid '{}'", fields.missing);
  if (!has_key || x.hash != question_hash(x.question))
    return "the key does not fit the question: an answer can be edited by hand, a question cannot";
  return read_outcome(fields.object, x.outcome);
}

std::string not_a_recording() {
  auto header = cassette_header();
  header.pop_back();
  return "not a recording of Lathe's: its first line is not " + header;
}

std::string read_header(dom::parser& parser, std::string_view line) {
  field_reader fields;
  if (parser.parse(line.data(), line.size()).get(fields.object) != simdjson::SUCCESS
      || fields.text("format") != format_name)
    return not_a_recording();
  auto version = fields.get<std::int64_t>("version");
  if (version != format_version)
    return fmt::format("a recording of version {}, but this Lathe reads version {}", version,
                       format_version);
  return {};
}

caf::error unreadable(const fs::path& file, std::string_view why) {
  return make_error(errc::user_error,
                    fmt::format("the recording {} cannot be read: {}", file.string(), why));
}

caf::expected<std::string> read_text(const fs::path& file) {
  std::error_code code;
  auto size = fs::file_size(file, code);
  if (code)
    return unreadable(file, code.message());
  std::string result(size, '\0');
  std::ifstream in{file, std::ios::binary};
  if (!in.read(result.data(), static_cast<std::streamsize>(size)))
    return unreadable(file, std::strerror(errno));
  return result;
}

} // namespace

// -- what a recording keeps -----------------------------------------------------------------

std::string question_hash(const llm_request& question) {
  auto list = fmt::format("[{},{},{},{}", json_string(question.role), json_string(question.model),
                          json_string(question.system), json_string(question.prompt));
  for (const auto& x : question.follow_ups)
    list += fmt::format(",{},{}", json_string(x.answer), json_string(x.prompt));
  return content_hash(list + "]");
}

kept_text::kept_text(std::vector<secret> keys) : keys_(std::move(keys)) {
  // nop
}

std::string kept_text::of(std::string text) const {
  return valid_utf8(keys_.scrub(std::move(text)));
}

llm_request kept_text::of(llm_request question) const {
  for (auto text : {&question.session, &question.agent, &question.role, &question.model,
                    &question.system, &question.prompt})
    *text = of(std::move(*text));
  for (auto& x : question.follow_ups)
    x = {of(std::move(x.answer)), of(std::move(x.prompt))};
  return question;
}

reply kept_text::of(reply outcome) const {
  if (auto answer = std::get_if<llm_answer>(&outcome))
    for (auto text : {&answer->text, &answer->model, &answer->finish})
      *text = of(std::move(*text));
  else
    std::get<failure>(outcome).sentence = of(std::move(std::get<failure>(outcome).sentence));
  return outcome;
}

// -- the text ---------------------------------------------------------------------------

std::string cassette_header() {
  return fmt::format("{{\"format\":\"{}\",\"version\":{}}}\n", format_name, format_version);
}

std::string cassette_line(const recorded_exchange& x, const kept_text& kept) {
  auto outcome = std::visit([](const auto& y) { return outcome_field(y); }, kept.of(x.outcome));
  return fmt::format("{{\"key\":\"{}\",\"asked\":{},{},{}}}\n", key_of(x), x.asked,
                     question_fields(kept.of(x.question)), outcome);
}

caf::expected<cassette> parse_cassette(std::string_view text, const std::string& file) {
  cassette result;
  std::set<std::string> keys;
  dom::parser parser;
  auto end = text.find('\n');
  for (int number = 1; end != std::string_view::npos; ++number) {
    auto line = text.substr(result.whole, end - result.whole);
    recorded_exchange x;
    auto problem = number == 1 ? read_header(parser, line) : read_exchange(parser, line, x);
    if (!problem.empty())
      return make_error(errc::user_error, fmt::format("{}:{}: {}", file, number, problem));
    if (number > 1 && keys.insert(key_of(x)).second)
      result.exchanges.push_back(std::move(x));
    result.whole = end + 1;
    end = text.find('\n', result.whole);
  }
  // Only half a first line of our own may be cut off: it could be anybody's file.
  if (result.whole == 0 && !cassette_header().starts_with(text))
    return make_error(errc::user_error, fmt::format("{}:1: {}", file, not_a_recording()));
  return result;
}

// -- the file ---------------------------------------------------------------------------

caf::expected<cassette> load_cassette(const fs::path& file) {
  auto text = read_text(file);
  if (!text)
    return std::move(text.error());
  auto result = parse_cassette(*text, file.string());
  if (result && result->whole == 0)
    return unreadable(file, "it is empty");
  if (result && result->whole < text->size())
    log()->warn("{}: half a last line of {} bytes is passed over", file.string(),
                text->size() - result->whole);
  return result;
}

caf::expected<std::shared_ptr<cassette_writer>> cassette_writer::open(const fs::path& file,
                                                                      std::vector<secret> keys) {
  unique_fd opened{::open(file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};
  auto code = opened ? 0 : errno;
  std::shared_ptr<cassette_writer> result{
    new cassette_writer{file, std::move(opened), std::move(keys)}};
  if (code != 0)
    return result->failure(std::strerror(code));
  if (auto problem = result->take_over())
    return problem;
  return result;
}

cassette_writer::cassette_writer(fs::path file, unique_fd opened, std::vector<secret> keys)
  : file_(std::move(file)), descriptor_(std::move(opened)), kept_(std::move(keys)) {
  // nop
}

recorded_exchange cassette_writer::begin(const llm_request& question) {
  recorded_exchange result;
  result.question = kept_.of(question);
  result.hash = question_hash(result.question);
  std::lock_guard guard{mutex_};
  result.attempt = ++attempts_[result.hash];
  result.asked = ++asked_;
  return result;
}

caf::error cassette_writer::append(const recorded_exchange& x) {
  auto line = cassette_line(x, kept_);
  std::lock_guard guard{mutex_};
  return write_line(line);
}

// Continues what the file holds.
caf::error cassette_writer::take_over() {
  struct stat found {};
  if (::fstat(descriptor_.get(), &found) != 0)
    return failure(std::strerror(errno));
  if (!S_ISREG(found.st_mode))
    return failure("it is not a regular file");
  if (::flock(descriptor_.get(), LOCK_EX | LOCK_NB) != 0)
    return failure(errno == EWOULDBLOCK ? "another run records to it" : std::strerror(errno));
  auto text = read_text(file_);
  if (!text)
    return std::move(text.error());
  auto earlier = parse_cassette(*text, file_.string());
  if (!earlier)
    return std::move(earlier.error());
  constexpr mode_t owners_alone = S_IRUSR | S_IWUSR;
  if ((found.st_mode & ALLPERMS) != owners_alone && ::fchmod(descriptor_.get(), owners_alone) != 0)
    return failure(
      fmt::format("others can read it, and that cannot be changed: {}", std::strerror(errno)));
  if (earlier->whole < text->size()) {
    log()->warn("{}: half a last line of {} bytes is cut off", file_.string(),
                text->size() - earlier->whole);
    if (::ftruncate(descriptor_.get(), static_cast<off_t>(earlier->whole)) != 0)
      return failure(std::strerror(errno));
  }
  for (const auto& x : earlier->exchanges) {
    attempts_[x.hash] = std::max(attempts_[x.hash], x.attempt);
    asked_ = std::max(asked_, x.asked);
  }
  return earlier->whole == 0 ? write_line(cassette_header()) : caf::error{};
}

caf::error cassette_writer::write_line(std::string_view line) {
  struct stat before {};
  if (!usable_ || ::fstat(descriptor_.get(), &before) != 0)
    return failure("it ends with half a line that cannot be cut off");
  auto written = ::write(descriptor_.get(), line.data(), line.size());
  if (written == static_cast<ssize_t>(line.size()))
    return {};
  auto why = written < 0 ? std::strerror(errno) : "the disk or a limit is full";
  usable_ = ::ftruncate(descriptor_.get(), before.st_size) == 0;
  return failure(why);
}

caf::error cassette_writer::failure(std::string_view what) const {
  return make_error(errc::environment_error,
                    fmt::format("the recording {} cannot be written: {}", file_.string(), what));
}

} // namespace lathe::llm_clients
