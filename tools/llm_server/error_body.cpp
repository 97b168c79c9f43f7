#include "tools/llm_server/api.hpp"
#include "tools/llm_server/json_text.hpp"

#include <fmt/format.h>

namespace lathe::llm_server {

namespace {

std::string_view openai_type(unsigned status) {
  if (status == 429)
    return "requests";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

std::string_view openai_code(unsigned status) {
  switch (status) {
    case 401:
      return R"("invalid_api_key")";
    case 429:
      return R"("rate_limit_exceeded")";
    default:
      return "null";
  }
}

std::string_view anthropic_type(unsigned status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 529:
      return "overloaded_error";
    default:
      return status >= 500 ? "api_error" : "invalid_request_error";
  }
}

std::string_view gemini_status(unsigned status) {
  switch (status) {
    case 401:
      return "UNAUTHENTICATED";
    case 403:
      return "PERMISSION_DENIED";
    case 404:
      return "NOT_FOUND";
    case 429:
      return "RESOURCE_EXHAUSTED";
    case 500:
      return "INTERNAL";
    case 504:
      return "DEADLINE_EXCEEDED";
    default:
      return status >= 500 ? "UNAVAILABLE" : "INVALID_ARGUMENT";
  }
}

} // namespace

std::string error_body(provider from, unsigned status, std::string_view sentence) {
  auto text = json_escaped(sentence);
  switch (from) {
    case provider::anthropic:
      return fmt::format(R"({{"type":"error","error":{{"type":"{}","message":"{}"}}}})",
                         anthropic_type(status), text);
    case provider::gemini:
      return fmt::format(R"({{"error":{{"code":{},"message":"{}","status":"{}"}}}})", status, text,
                         gemini_status(status));
    case provider::openai:
      break;
  }
  return fmt::format(R"({{"error":{{"message":"{}","type":"{}","param":null,"code":{}}}}})", text,
                     openai_type(status), openai_code(status));
}

} // namespace lathe::llm_server
