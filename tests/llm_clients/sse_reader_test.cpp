#include "llm_clients/sse_reader.hpp"

#include <gmock/gmock.h>

using namespace lathe::llm_clients;
using testing::ElementsAre;
using testing::IsEmpty;

namespace {

using texts = std::vector<std::string>;

// "TYPE|DATA" of each event, with the stream in parts of `size` bytes.
texts events_of(std::string_view stream, std::size_t size) {
  sse_reader x;
  texts result;
  for (std::size_t at = 0; at < stream.size(); at += size)
    EXPECT_TRUE(x.take(stream.substr(at, size), [&](const sse_event& event) {
      result.push_back(std::string{event.type} + "|" + std::string{event.data});
      return true;
    }));
  return result;
}

} // namespace

TEST(sse_reader, events_are_the_same_however_the_stream_is_cut) {
  const std::string_view stream = "\xEF\xBB\xBF: a comment\n"
                                  "event: start\r\ndata: {\"a\": 1}\r\n\r\n"
                                  "data:one\ndata: two\ndata\n\n"
                                  "id: 7\nretry: 10\n\n" // without data it is none
                                  "data: a: b\r\r"
                                  "event: end\ndata:  x\n\n"
                                  "data: cut off";
  for (std::size_t size = 1; size <= stream.size(); ++size)
    EXPECT_THAT(events_of(stream, size),
                ElementsAre("start|{\"a\": 1}", "|one\ntwo\n", "|a: b", "end| x"))
      << "parts of " << size;
}

TEST(sse_reader, an_event_without_data_is_none) {
  EXPECT_THAT(events_of("event: ping\ndata:\n\nevent: ping\ndata\n\ndata: x\n\n", 5),
              ElementsAre("|x"));
  EXPECT_THAT(events_of("data:\ndata: x\n\n", 5), ElementsAre("|\nx"));
}

TEST(sse_reader, a_stream_is_known_by_how_it_begins) {
  for (auto begin : {"data: {}", "data:{}", "event: ping\ndata: {}", ": wait",
                     "\xEF\xBB\xBF"
                     "data: 1",
                     "id: 7", "retry: 10", "\n\ndata: x"})
    EXPECT_TRUE(looks_like_events(begin)) << begin;
  for (auto begin : {"", "{\"data\": 1}", "<html>", "database", "[]", "no data: here"})
    EXPECT_FALSE(looks_like_events(begin)) << begin;
}

TEST(sse_reader, who_has_enough_gets_no_more) {
  sse_reader x;
  texts found;
  EXPECT_FALSE(x.take("data: 1\n\ndata: 2\n\n", [&](const sse_event& event) {
    found.emplace_back(event.data);
    return false;
  }));
  EXPECT_THAT(found, ElementsAre("1"));
}

TEST(sse_reader, an_event_has_an_end) {
  sse_reader x;
  auto never = [](const sse_event&) { return ADD_FAILURE(), true; };
  const std::string part(1u << 20, 'x');
  std::size_t taken = 0;
  while (x.take(part, never) && taken <= sse_reader::longest)
    taken += part.size();
  EXPECT_LE(taken, sse_reader::longest);
  sse_reader lines;
  taken = 0;
  while (lines.take("data: " + part + "\n", never) && taken <= sse_reader::longest)
    taken += part.size();
  EXPECT_LE(taken, sse_reader::longest);
}

TEST(sse_reader, nothing_is_nothing) {
  EXPECT_THAT(events_of("", 1), IsEmpty());
  EXPECT_THAT(events_of("\n\n\n", 1), IsEmpty());
}
