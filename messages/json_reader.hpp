#pragma once

#include <caf/error.hpp>
#include <caf/load_inspector_base.hpp>
#include <caf/string_view.hpp>
#include <caf/type_id.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace lathe {

/// A CAF inspector that reads what `json_writer` wrote. Fields are found by name, in any order.
class json_reader : public caf::load_inspector_base<json_reader> {
public:
  /// Parses `text`; `get_error` says when it is not JSON.
  explicit json_reader(std::string_view text);

  json_reader(const json_reader&) = delete;
  json_reader& operator=(const json_reader&) = delete;
  ~json_reader() override;

  /// Returns why the last `apply` failed, and in which field.
  caf::error failure() const;

  // -- what CAF's inspection calls ----------------------------------------------------

  bool has_human_readable_format() const noexcept {
    return true;
  }

  bool begin_object(caf::type_id_t, caf::string_view);
  bool end_object();

  bool begin_field(caf::string_view name);
  bool begin_field(caf::string_view name, bool& is_present);
  bool end_field();

  bool begin_sequence(std::size_t& size);
  bool end_sequence();

  bool begin_tuple(std::size_t size);

  bool end_tuple() {
    return end_sequence();
  }

  bool begin_key_value_pair() {
    return begin_tuple(2);
  }

  bool end_key_value_pair() {
    return end_sequence();
  }

  bool begin_associative_array(std::size_t& size) {
    return begin_sequence(size);
  }

  bool end_associative_array() {
    return end_sequence();
  }

  bool value(bool& x);
  bool value(std::int64_t& x);
  bool value(std::uint64_t& x);

  template <std::integral T>
  bool value(T& x) {
    std::conditional_t<std::signed_integral<T>, std::int64_t, std::uint64_t> wide = 0;
    if (!value(wide))
      return false;
    x = static_cast<T>(wide);
    return std::in_range<T>(wide) || fail("holds a number that is too large");
  }

  bool value(double& x);

  bool value(float& x) {
    double wide = 0;
    if (!value(wide))
      return false;
    x = static_cast<float>(wide);
    return true;
  }

  bool value(std::string& x);

private:
  struct cursor;

  bool fail(std::string_view what);

  std::unique_ptr<cursor> cursor_;
  std::string field_; // the last one entered, for errors
};

} // namespace lathe
