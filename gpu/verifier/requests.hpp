#pragma once

#include <span>
#include <string>
#include <string_view>

namespace lathe::verifier {

/// Answers one request of docs/evaluation_protocol.md, `compare` or `audit`, that came with `fds`.
/// Whatever the request or a file holds, there is an answer.
std::string answer(std::string_view request, std::span<const int> fds);

} // namespace lathe::verifier
