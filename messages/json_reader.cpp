#include "messages/json_reader.hpp"

#include "messages/error.hpp"

#include <caf/sec.hpp>
#include <fmt/format.h>
#include <simdjson.h>

#include <charconv>
#include <cmath>
#include <vector>

namespace lathe {

namespace dom = simdjson::dom;

// Where the reader is: the innermost frame's `pending` is what the next call consumes.
struct json_reader::cursor {
  struct frame {
    dom::element pending;      // the open field's value; of the outermost frame: the document
    dom::object object;        // of an object
    dom::array::iterator next; // of a list
    dom::array::iterator end;
    bool is_list = false;
  };

  // Returns the value that is read next. False at the end of a list.
  bool take(dom::element& x) {
    auto& top = frames.back();
    if (top.is_list) {
      if (!(top.next != top.end))
        return false;
      top.pending = *top.next;
      ++top.next;
    }
    x = top.pending;
    return true;
  }

  template <class T>
  bool take_as(T& x) {
    dom::element element;
    return take(element) && element.get(x) == simdjson::SUCCESS;
  }

  dom::parser parser; // owns the document
  std::vector<frame> frames;
  std::string_view text; // the last one read
};

namespace {

// Reads hexadecimal digits. False when there is anything else.
bool from_hex(std::string_view digits, std::string& bytes) {
  if (digits.size() % 2 != 0)
    return false;
  bytes.clear();
  for (std::size_t at = 0; at < digits.size(); at += 2) {
    unsigned char byte = 0;
    auto end = digits.data() + at + 2;
    if (std::from_chars(digits.data() + at, end, byte, 16).ptr != end)
      return false;
    bytes += static_cast<char>(byte);
  }
  return true;
}

} // namespace

json_reader::json_reader(std::string_view text) : cursor_(std::make_unique<cursor>()) {
  dom::element root;
  auto status = cursor_->parser.parse(text.data(), text.size()).get(root);
  if (status != simdjson::SUCCESS)
    set_error(make_error(errc::journal_failed,
                         fmt::format("not JSON: {}", simdjson::error_message(status))));
  cursor_->frames.push_back({root});
}

json_reader::~json_reader() = default;

caf::error json_reader::failure() const {
  // Of an enum CAF reads a text, and says no more than that it cannot be kept.
  auto what =
    get_error() == caf::sec::save_callback_failed
      ? fmt::format("holds the word '{}', which this version does not know", cursor_->text)
      : describe(get_error());
  return make_error(errc::journal_failed, fmt::format("{} (at field '{}')", what, field_));
}

bool json_reader::begin_object(caf::type_id_t, caf::string_view) {
  dom::object object;
  if (!cursor_->take_as(object))
    return fail("is not an object");
  cursor_->frames.push_back({});
  cursor_->frames.back().object = object;
  return true;
}

bool json_reader::end_object() {
  cursor_->frames.pop_back();
  return true;
}

bool json_reader::begin_field(caf::string_view name) {
  bool is_present = false;
  return begin_field(name, is_present) && (is_present || fail("is missing"));
}

bool json_reader::begin_field(caf::string_view name, bool& is_present) {
  field_.assign(name.data(), name.size());
  auto& top = cursor_->frames.back();
  is_present = top.object[field_].get(top.pending) == simdjson::SUCCESS && !top.pending.is_null();
  return true;
}

bool json_reader::end_field() {
  return true;
}

bool json_reader::begin_sequence(std::size_t& size) {
  dom::array list;
  if (!cursor_->take_as(list))
    return fail("is not a list");
  size = 0;
  for (auto element : list) { // not list.size(): that one saturates
    static_cast<void>(element);
    ++size;
  }
  cursor_->frames.push_back({});
  auto& top = cursor_->frames.back();
  top.next = list.begin();
  top.end = list.end();
  top.is_list = true;
  return true;
}

bool json_reader::end_sequence() {
  cursor_->frames.pop_back();
  return true;
}

bool json_reader::begin_tuple(std::size_t size) {
  std::size_t found = 0;
  return begin_sequence(found) && (found == size || fail("has a list of the wrong length"));
}

bool json_reader::value(bool& x) {
  return cursor_->take_as(x) || fail("is neither true nor false");
}

bool json_reader::value(std::int64_t& x) {
  return cursor_->take_as(x) || fail("is not an integer of 64 bits");
}

bool json_reader::value(std::uint64_t& x) {
  return cursor_->take_as(x) || fail("is not a positive integer of 64 bits");
}

bool json_reader::value(double& x) {
  dom::element element;
  if (!cursor_->take(element))
    return fail("is missing");
  if (element.get(x) == simdjson::SUCCESS)
    return true;
  std::string_view text;
  if (element.get(text) == simdjson::SUCCESS)
    for (auto special : {NAN, INFINITY, -INFINITY})
      if (text == fmt::format("{}", special)) {
        x = special;
        return true;
      }
  return fail("is not a number");
}

bool json_reader::value(std::string& x) {
  dom::element element;
  if (!cursor_->take(element))
    return fail("is missing");
  std::string_view text;
  if (element.get(text) == simdjson::SUCCESS) {
    cursor_->text = text;
    x = text;
    return true;
  }
  return (element["@bytes"].get(text) == simdjson::SUCCESS && from_hex(text, x))
         || fail("is not a text");
}

bool json_reader::fail(std::string_view what) {
  set_error(make_error(errc::journal_failed, std::string{what}));
  return false;
}

} // namespace lathe
