#pragma once

#include <fmt/format.h>

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::llm_clients {

/// An API key, or a password. However it is printed, it reads `[secret]`.
class secret {
public:
  static constexpr std::string_view mask = "[secret]";

  secret() = default;

  explicit secret(std::string text);

  bool empty() const {
    return text_.empty();
  }

  /// The key itself, for the one place that writes it to a socket.
  const std::string& reveal() const {
    return text_;
  }

  /// Whether the key can stand in an HTTP header: visible ASCII only.
  bool sendable() const;

  /// Whether `scrub` would change this text.
  bool occurs_in(std::string_view text) const;

  /// Returns `text` with the key masked wherever it occurs, as it is or as JSON or URLs escape it:
  /// servers like to quote it in errors.
  /// Keys under eight characters are placeholders ("none", "EMPTY") and stay.
  std::string scrub(std::string text) const;

private:
  std::string text_;
};

/// All that may not get into a text.
class secret_list {
public:
  secret_list() = default;

  explicit secret_list(std::vector<secret> secrets);

  /// Whether `scrub` would change this text.
  bool occur_in(std::string_view text) const;

  std::string scrub(std::string text) const;

private:
  std::vector<secret> secrets_; // longest first: one may begin with another
};

inline std::ostream& operator<<(std::ostream& out, const secret&) {
  return out << secret::mask;
}

inline std::string to_string(const secret&) {
  return std::string{secret::mask};
}

} // namespace lathe::llm_clients

template <>
struct fmt::formatter<lathe::llm_clients::secret> : fmt::formatter<std::string_view> {
  template <class Context>
  auto format(const lathe::llm_clients::secret& x, Context& context) const {
    return fmt::formatter<std::string_view>::format(x.mask, context);
  }
};
