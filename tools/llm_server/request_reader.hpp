#pragma once

#include "tools/llm_server/api.hpp"

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace lathe::llm_server {

/// One HTTP request, reduced to what the server looks at.
struct http_request {
  std::string method;
  std::string target;
  std::string body;
  std::string authorization;
  std::string anthropic_key; ///< x-api-key
  std::string gemini_key;    ///< x-goog-api-key
  std::string behaviour;     ///< x-llm-server
  bool chunks = true;        ///< the client knows chunks: it speaks HTTP/1.1
  bool keep_alive = true;
};

/// Makes requests of a connection's bytes, however they are cut. Headers have to fit in 64 KiB and
/// bodies in 32 MiB. Holds little memory between two requests.
class request_reader {
public:
  enum class state { incomplete, complete, refused };

  /// Takes bytes in. What follows a complete request is kept for the next one.
  state feed(std::string_view bytes);

  /// True once for a request that waits for "100 Continue" before it sends its body.
  bool wants_continue();

  /// The complete request. The next one can be fed then, with what is there of it already.
  http_request take();

  /// Why the bytes are no request. Nothing more can be read after that.
  const refusal& refused() const {
    return refusal_;
  }

  /// Bytes that belong to later requests.
  std::size_t ahead() const {
    return rest_.size();
  }

private:
  using parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  // Returns how many bytes were used.
  std::size_t parse(std::string_view bytes);

  void refuse(const boost::beast::error_code& code);

  std::optional<parser> parser_;
  std::string rest_; // bytes that the parser does not take yet
  refusal refusal_;
  bool refused_ = false;
  bool continued_ = false;
};

} // namespace lathe::llm_server
