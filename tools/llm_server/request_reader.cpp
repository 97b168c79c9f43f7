#include "tools/llm_server/request_reader.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>

#include <utility>

namespace lathe::llm_server {

namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {

constexpr std::uint32_t max_header = 64u << 10; // [bytes]
constexpr std::uint64_t max_body = 32u << 20;   // [bytes]

std::string field(const http::fields& fields, std::string_view name) {
  auto found = fields.find(beast::string_view{name.data(), name.size()});
  return found == fields.end() ? std::string{} : std::string{found->value()};
}

} // namespace

request_reader::state request_reader::feed(std::string_view bytes) {
  if (refused_)
    return state::refused;
  if (parser_ && parser_->is_done()) {
    rest_ += bytes;
    return state::complete;
  }
  if (rest_.empty()) {
    rest_ = bytes.substr(parse(bytes));
  } else {
    rest_ += bytes;
    rest_.erase(0, parse(rest_));
  }
  if (refused_)
    return state::refused;
  return parser_ && parser_->is_done() ? state::complete : state::incomplete;
}

std::size_t request_reader::parse(std::string_view bytes) {
  if (bytes.empty())
    return 0;
  if (!parser_) {
    parser_.emplace();
    parser_->header_limit(max_header);
    parser_->body_limit(max_body);
    parser_->eager(true);
  }
  std::size_t used = 0;
  while (used < bytes.size() && !parser_->is_done()) {
    beast::error_code code;
    auto taken = parser_->put(boost::asio::buffer(bytes.data() + used, bytes.size() - used), code);
    used += taken;
    if (code && code != http::error::need_more) {
      refuse(code);
      return bytes.size();
    }
    if (code == http::error::need_more || taken == 0)
      break;
  }
  return used;
}

void request_reader::refuse(const beast::error_code& code) {
  refused_ = true;
  if (code == http::error::body_limit)
    refusal_ = {413, "The body is larger than 32 MiB."};
  else if (code == http::error::header_limit)
    refusal_ = {431, "The headers are larger than 64 KiB."};
  else
    refusal_ = {400, "This is no HTTP request: " + code.message() + "."};
}

bool request_reader::wants_continue() {
  if (continued_ || !parser_ || !parser_->is_header_done() || parser_->is_done()
      || !beast::iequals(parser_->get()[http::field::expect], "100-continue"))
    return false;
  continued_ = true;
  return true;
}

http_request request_reader::take() {
  auto keep_alive = parser_->keep_alive();
  auto message = parser_->release();
  parser_.reset();
  continued_ = false;
  http_request result;
  result.method = std::string{message.method_string()};
  result.target = std::string{message.target()};
  result.body = std::move(message.body());
  result.authorization = field(message, "authorization");
  result.anthropic_key = field(message, "x-api-key");
  result.gemini_key = field(message, "x-goog-api-key");
  result.behaviour = field(message, "x-llm-server");
  result.chunks = message.version() >= 11;
  result.keep_alive = keep_alive;
  return result;
}

} // namespace lathe::llm_server
