#include "tools/llm_server/options.hpp"

#include "tools/llm_server/numbers.hpp"

#include <fmt/format.h>

#include <iterator>
#include <optional>

namespace lathe::llm_server {

namespace {

constexpr std::size_t most_threads = 256;

constexpr std::string_view head =
  R"(llm-server answers like OpenAI, Anthropic and Gemini, as well or as badly as it is told.
It is for tests and benchmarks of their clients; what it says is made up.

  POST /v1/chat/completions, /v1/responses, /v1/messages     streamed when the body says so
  POST /v1beta/models/MODEL:generateContent, MODEL:streamGenerateContent?alt=sse
  GET  /v1/models

  --port N                   to listen at, on 127.0.0.1; 0: any that is free (0)
  --threads N                that serve connections (1)
  --tls CERTIFICATE KEY      speak HTTPS with these two PEM files
  --help                     show this

for all requests, or for one as a JSON object in its header x-llm-server:
)";

constexpr std::string_view tail = R"(
TIME is 50ms, uniform:10ms:90ms, exponential:50ms or lognormal:MEDIAN:SIGMA.
ERROR is none, reset, cut, invalid-json, large, slow-body, hang or
status:CODE[-html][,retry-after:SECONDS].

examples:
  llm-server --port 8080 --events 200 --interval exponential:50ms --first-byte lognormal:400ms:0.5
      answers at the pace of a hosted model
  llm-server --error status:429,retry-after:2 --error-rate 0.1 --seed 7
      refuses every tenth request, the same ones in every run

On SIGINT and SIGTERM it ends and prints what it did, as a line of JSON.
)";

// The arguments that are left to read.
class arguments {
public:
  explicit arguments(std::span<const char* const> all) : left_(all) {
    // nop
  }

  std::optional<std::string_view> next() {
    if (left_.empty())
      return std::nullopt;
    std::string_view result{left_.front()};
    left_ = left_.subspan(1);
    return result;
  }

private:
  std::span<const char* const> left_;
};

std::optional<mistake> set_count(std::string_view name, std::string_view text, std::uint64_t least,
                                 std::uint64_t most, std::uint64_t& target) {
  auto value = number<std::uint64_t>(text);
  if (!value || *value < least || *value > most)
    return mistake{
      fmt::format("--{}: '{}' is no whole number from {} to {}", name, text, least, most)};
  target = *value;
  return std::nullopt;
}

// Sets what only the command line says. `value` is the argument after the option's name.
std::optional<mistake> set_own(options& x, std::string_view name, std::string_view value,
                               arguments& left) {
  std::uint64_t count = 0;
  if (name == "port") {
    auto wrong = set_count(name, value, 0, 65535, count);
    x.port = static_cast<std::uint16_t>(count);
    return wrong;
  }
  if (name == "threads") {
    auto wrong = set_count(name, value, 1, most_threads, count);
    x.threads = count;
    return wrong;
  }
  auto key = left.next();
  if (!key)
    return mistake{"--tls needs two files, a certificate and its key"};
  x.certificate = value;
  x.key = *key;
  return std::nullopt;
}

} // namespace

parsed<options> parse_options(std::span<const char* const> all) {
  options result;
  arguments left{all};
  while (auto argument = left.next()) {
    if (*argument == "--help") {
      result.help = true;
      continue;
    }
    if (!argument->starts_with("--"))
      return mistake{fmt::format("'{}' is no option; --help shows them", *argument)};
    auto name = argument->substr(2);
    auto own = name == "port" || name == "threads" || name == "tls";
    auto known = own;
    for (const auto& option : behaviour_options())
      known = known || option.name == name;
    if (!known)
      return mistake{fmt::format("there is no option '{}'; --help shows them", *argument)};
    auto value = left.next();
    if (!value)
      return mistake{fmt::format("{} needs a value", *argument)};
    auto wrong =
      own ? set_own(result, name, *value, left) : set_option(result.defaults, name, *value);
    if (wrong)
      return own ? *wrong : mistake{"--" + wrong->sentence};
  }
  return result;
}

std::string help_text() {
  std::string result{head};
  for (const auto& option : behaviour_options())
    fmt::format_to(std::back_inserter(result), "  --{:<24} {}\n",
                   fmt::format("{} {}", option.name, option.value), option.help);
  return result + std::string{tail};
}

} // namespace lathe::llm_server
