#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lathe::llm_server {

/// "HTTP/1.1 429 Too Many Requests\r\n".
std::string status_line(unsigned status);

/// "name: value\r\n".
std::string header_line(std::string_view name, std::string_view value);

/// How a body whose length is not known ahead is written: in chunks, or, for HTTP/1.0, as it is.
enum class framing { plain, chunked };

/// Appends a part of a body; nothing for an empty part, since an empty chunk would end the body.
void append_part(framing how, std::string_view bytes, std::string& out);

/// Appends what ends a body.
void append_end(framing how, std::string& out);

} // namespace lathe::llm_server
