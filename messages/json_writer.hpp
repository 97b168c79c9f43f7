#pragma once

#include <caf/save_inspector_base.hpp>
#include <caf/span.hpp>
#include <caf/string_view.hpp>
#include <caf/type_id.hpp>

#include <concepts>
#include <cstddef>
#include <string>

namespace lathe {

/// A CAF inspector that writes compact JSON. Beyond plain JSON:
/// - text that is not valid UTF-8 is written as `{"@bytes": "..."}`, in hexadecimal;
/// - `"nan"`, `"inf"` and `"-inf"` are written as strings;
/// - an optional field without a value is `null`;
/// - a map is a list of `[key, value]` pairs.
class json_writer : public caf::save_inspector_base<json_writer> {
public:
  /// Returns the document and leaves the writer empty.
  std::string take();

  // -- what CAF's inspection calls ----------------------------------------------------

  bool has_human_readable_format() const noexcept {
    return true;
  }

  bool begin_object(caf::type_id_t, caf::string_view) {
    return open('{');
  }

  bool end_object() {
    return close('}');
  }

  bool begin_field(caf::string_view name);

  bool begin_field(caf::string_view name, bool is_present);

  bool end_field() {
    return true;
  }

  bool begin_sequence(std::size_t) {
    return open('[');
  }

  bool end_sequence() {
    return close(']');
  }

  bool begin_tuple(std::size_t) {
    return open('[');
  }

  bool end_tuple() {
    return close(']');
  }

  bool begin_key_value_pair() {
    return open('[');
  }

  bool end_key_value_pair() {
    return close(']');
  }

  bool begin_associative_array(std::size_t) {
    return open('[');
  }

  bool end_associative_array() {
    return close(']');
  }

  bool value(bool x);

  template <std::integral T>
  bool value(T x) {
    return integer(x);
  }

  bool value(double x);

  bool value(float x) {
    return value(static_cast<double>(x));
  }

  bool value(caf::string_view x);

private:
  template <class T>
  bool integer(T x);

  bool open(char bracket);
  bool close(char bracket);
  void separate();

  std::string text_;
  bool first_ = true; // nothing stands before the next value in its object or list
};

} // namespace lathe
