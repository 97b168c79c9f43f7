#include "gpu/verifier/values.hpp"

#include "tests/gpu/verifier/values_writer.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <random>

#include <unistd.h>

using namespace lathe::verifier;
using namespace lathe::verifier::test;
using testing::HasSubstr;

namespace {

std::string problem_of(std::string_view bytes) {
  return read_values(file_of(bytes).get()).problem;
}

// The problem of a file with this header and 4096 bytes after it.
std::string problem_of_header(std::string_view header) {
  return problem_of(with_header(header, std::string(4096, '\0')));
}

// The problem of a file whose only tensor is described by `record`.
std::string problem_of_record(std::string_view record) {
  return problem_of_header(R"({"tree": {"t": 0}, "tensors": [)" + std::string{record} + "]}");
}

value everything() {
  mapping dict{{{"mask", value{(at::arange(2) == 0)}},
                {"name", value{scalar{std::string{"x"}}}},
                {"scale", value{scalar{0.1}}}}};
  return tuple_of(
    at::arange(6, at::kFloat).view({2, 3}), dict,
    sequence{false, {value{scalar{}}, value{scalar{true}}, value{scalar{std::int64_t{-3}}}}},
    at::ones({2, 0, 3}, at::kHalf), at::complex(at::ones({2}), at::zeros({2})));
}

} // namespace

// -- what honest writers write ---------------------------------------------------------

TEST(values, every_kind_of_node_is_read_back) {
  auto found = read_values(file_of(everything()).get());
  ASSERT_EQ(found.problem, "");
  auto& items = std::get<sequence>(found.content.content).items;
  ASSERT_EQ(items.size(), 5u);
  EXPECT_TRUE(
    at::equal(std::get<at::Tensor>(items[0].content), at::arange(6, at::kFloat).view({2, 3})));
  auto& dict = std::get<mapping>(items[1].content).entries;
  ASSERT_EQ(dict.size(), 3u);
  EXPECT_EQ(dict[0].key, "mask");
  EXPECT_TRUE(at::equal(std::get<at::Tensor>(dict[0].item.content), (at::arange(2) == 0)));
  EXPECT_EQ(std::get<scalar>(dict[2].item.content), scalar{0.1});
  auto& list = std::get<sequence>(items[2].content);
  EXPECT_FALSE(list.is_tuple);
  EXPECT_EQ(std::get<scalar>(list.items[0].content), scalar{});
  EXPECT_EQ(std::get<scalar>(list.items[1].content), scalar{true});
  EXPECT_EQ(std::get<scalar>(list.items[2].content), scalar{std::int64_t{-3}});
  EXPECT_EQ(std::get<at::Tensor>(items[3].content).sizes(), (c10::IntArrayRef{2, 0, 3}));
  EXPECT_EQ(std::get<at::Tensor>(items[4].content).scalar_type(), at::kComplexFloat);
}

TEST(values, floats_travel_as_python_writes_them) {
  auto read = [](std::string_view text) {
    auto bytes = with_header(R"({"tree": {"f": ")" + std::string{text} + R"("}, "tensors": []})");
    return std::get<double>(std::get<scalar>(read_values(file_of(bytes).get()).content.content));
  };
  EXPECT_EQ(read("1e-07"), 1e-7);
  EXPECT_EQ(read("-inf"), -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(read("nan")));
}

TEST(values, the_tensors_are_copies_that_a_writer_cannot_change_later) {
  auto file = file_of(value{at::zeros({4})});
  auto found = read_values(file.get());
  std::string ones(4096, '\x3f');
  ASSERT_GT(::pwrite(file.get(), ones.data(), ones.size(), 0), 0);
  EXPECT_TRUE(at::equal(std::get<at::Tensor>(found.content.content), at::zeros({4})));
}

// -- what hostile writers write ---------------------------------------------------------

TEST(values, files_that_are_none_are_named) {
  EXPECT_THAT(problem_of(""), HasSubstr("cut off"));
  EXPECT_THAT(problem_of("LVAL"), HasSubstr("cut off"));
  EXPECT_THAT(problem_of(std::string(64, 'x')), HasSubstr("does not start with LVAL"));
  auto newer = to_bytes(everything());
  newer[4] = 2;
  EXPECT_EQ(problem_of(newer), "the file has version 2, not 1");
  EXPECT_EQ(read_values(-1).problem, "it is not a file");
}

TEST(values, a_header_length_beyond_the_file_is_refused) {
  auto bytes = to_bytes(everything());
  for (auto byte : {8, 10, 12, 15}) {
    auto changed = bytes;
    changed[static_cast<std::size_t>(byte)] = '\xff';
    EXPECT_NE(problem_of(changed), "") << byte;
  }
}

TEST(values, every_truncation_is_noticed) {
  auto bytes = to_bytes(value{at::ones({40})});
  auto last = bytes.find_last_not_of('\0') + 1;
  for (std::size_t size = 0; size < last; ++size)
    ASSERT_NE(problem_of(bytes.substr(0, size)), "") << size;
}

TEST(values, json_that_is_not_a_header_is_refused) {
  EXPECT_THAT(problem_of_header(""), HasSubstr("not usable JSON"));
  EXPECT_THAT(problem_of_header("[1, 2"), HasSubstr("not usable JSON"));
  EXPECT_THAT(problem_of_header("{\"tree\": \"\xff\"}"), HasSubstr("not usable JSON"));
  EXPECT_THAT(problem_of_header("[]"), HasSubstr("not usable JSON"));
  EXPECT_THAT(problem_of_header("{}"), HasSubstr("does not hold"));
  EXPECT_THAT(problem_of_header(R"({"tree": {"v": 1}, "tensors": [], "more": 1})"),
              HasSubstr("does not hold"));
}

TEST(values, depth_bombs_are_refused) {
  std::string arrays(100'000, '[');
  EXPECT_NE(problem_of_header(arrays), "");
  std::string open, close;
  for (int i = 0; i < 40; ++i) {
    open += R"({"list": [)";
    close += "]}";
  }
  EXPECT_EQ(problem_of_header(R"({"tensors": [], "tree": )" + open + R"({"v": 1})" + close + "}"),
            "the tree is deeper than 32 levels");
}

TEST(values, shapes_that_overflow_are_refused) {
  auto shape = [](std::string_view sizes, std::string_view bytes = "0") {
    return problem_of_record(R"({"dtype": "float32", "shape": [)" + std::string{sizes}
                             + R"(], "offset": 1024, "bytes": )" + std::string{bytes} + "}");
  };
  EXPECT_EQ(shape("0"), "");
  EXPECT_EQ(shape("4294967296, 4294967296"), "tensor 0 has a shape that is too large");
  EXPECT_EQ(shape("0, 4611686018427387904, 4"), "tensor 0 has a shape that is too large");
  EXPECT_EQ(shape("9223372036854775807"), "tensor 0 has a shape that is too large");
  EXPECT_EQ(shape("9223372036854775808"), "tensor 0 has a size that is no 64-bit integer");
  EXPECT_EQ(shape("1.5"), "tensor 0 has a size that is no 64-bit integer");
  EXPECT_EQ(shape("null"), "tensor 0 has a size that is no 64-bit integer");
  EXPECT_THAT(shape("NaN"), HasSubstr("not usable JSON"));
  EXPECT_EQ(shape("-1"), "tensor 0 has a negative size");
  EXPECT_EQ(shape("1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", "4"),
            "tensor 0 has more than 16 dimensions");
  EXPECT_EQ(shape("2", "4"), "tensor 0 has 4 bytes, its shape and dtype need 8");
}

TEST(values, places_outside_the_file_are_refused) {
  auto place = [](std::string_view offset, std::string_view count = "4") {
    return problem_of_record(R"({"dtype": "uint8", "shape": [)" + std::string{count}
                             + R"(], "offset": )" + std::string{offset} + R"(, "bytes": )"
                             + std::string{count} + "}");
  };
  EXPECT_EQ(place("1024"), "");
  EXPECT_EQ(place("1025"), "tensor 0 is at offset 1025, which is not a multiple of 64");
  EXPECT_EQ(place("0"), "tensor 0 lies inside the header");
  EXPECT_EQ(place("8192"), "tensor 0 ends behind the end of the file");
  EXPECT_EQ(place("1024", "1000000"), "tensor 0 ends behind the end of the file");
  EXPECT_EQ(place("18446744073709551552"), "tensor 0 ends behind the end of the file");
  EXPECT_EQ(place("-64"), "tensor 0 has no offset");
}

TEST(values, tensors_over_the_same_bytes_are_refused) {
  auto record = [](int offset) {
    return R"({"dtype": "uint8", "shape": [128], "bytes": 128, "offset": )" + std::to_string(offset)
           + "}";
  };
  auto problem = [&](int first, int second) {
    return problem_of_header(R"({"tree": {"list": [{"t": 0}, {"t": 1}]}, "tensors": [)"
                             + record(first) + ", " + record(second) + "]}");
  };
  EXPECT_EQ(problem(1024, 1152), "");
  EXPECT_EQ(problem(1152, 1024), "");
  EXPECT_EQ(problem(1024, 1088), "tensors 0 and 1 overlap");
  EXPECT_EQ(problem(1088, 1024), "tensors 1 and 0 overlap");
}

TEST(values, a_tree_has_to_use_each_tensor_once) {
  auto problem = [](std::string_view tree) {
    return problem_of_header(R"({"tensors": [{"dtype": "uint8", "shape": [], "offset": 1024, )"
                             R"("bytes": 1}], "tree": )"
                             + std::string{tree} + "}");
  };
  EXPECT_EQ(problem(R"({"t": 0})"), "");
  EXPECT_EQ(problem(R"({"list": [{"t": 0}, {"t": 0}]})"), "the tree uses tensor 0 twice");
  EXPECT_EQ(problem(R"({"v": 1})"), "tensor 0 is not part of the tree");
  EXPECT_THAT(problem(R"({"t": 1})"), HasSubstr("not there"));
  EXPECT_THAT(problem(R"({"t": -1})"), HasSubstr("not there"));
}

TEST(values, nodes_that_make_no_sense_are_refused) {
  auto problem = [](std::string_view tree) {
    return problem_of_header(R"({"tensors": [], "tree": )" + std::string{tree} + "}");
  };
  EXPECT_EQ(problem(R"({"dict": [["a", {"v": 1}], ["b", {"v": 2}]]})"), "");
  EXPECT_THAT(problem("3"), HasSubstr("object with one key"));
  EXPECT_THAT(problem("{}"), HasSubstr("object with one key"));
  EXPECT_THAT(problem(R"({"v": 1, "f": "1"})"), HasSubstr("object with one key"));
  EXPECT_THAT(problem(R"({"set": []})"), HasSubstr("unknown kind"));
  EXPECT_THAT(problem(R"({"list": {}})"), HasSubstr("not an array"));
  EXPECT_THAT(problem(R"({"dict": [["a"]]})"), HasSubstr("not a key and a value"));
  EXPECT_THAT(problem(R"({"dict": [[1, {"v": 1}]]})"), HasSubstr("not a key and a value"));
  EXPECT_THAT(problem(R"({"dict": [["a", {"v": 1}], ["a", {"v": 2}]]})"),
              HasSubstr("one key twice"));
  EXPECT_THAT(problem(R"({"v": 1.5})"), HasSubstr("scalar of an unknown kind"));
  EXPECT_THAT(problem(R"({"v": 18446744073709551615})"), HasSubstr("scalar of an unknown kind"));
  EXPECT_THAT(problem(R"({"f": "1.0x"})"), HasSubstr("cannot be read"));
  EXPECT_THAT(problem(R"({"f": 1.0})"), HasSubstr("not written as a string"));
}

TEST(values, records_of_unknown_types_are_refused) {
  EXPECT_EQ(problem_of_record(R"({"dtype": "quint8", "shape": [], "offset": 1024, "bytes": 1})"),
            "tensor 0 has an unknown dtype");
  EXPECT_EQ(problem_of_record("3"), "tensor 0 is not described by an object");
  EXPECT_EQ(problem_of_record(R"({"dtype": "uint8"})"),
            "tensor 0 is not described by dtype, shape, offset and bytes");
}

TEST(values, a_bool_is_zero_or_one) {
  std::string header = R"({"tree": {"t": 0}, "tensors": [)"
                       R"({"dtype": "bool", "shape": [64], "offset": 1024, "bytes": 64}]})";
  auto bytes = with_header(header, std::string(2048, '\0'));
  EXPECT_EQ(problem_of(bytes), "");
  bytes[1030] = 2;
  EXPECT_EQ(problem_of(bytes), "tensor 0 is bool, but holds bytes other than 0 and 1");
}

TEST(values, more_tensors_than_allowed_are_refused) {
  std::string records, nodes;
  for (int i = 0; i < 4097; ++i) {
    records += R"({"dtype": "uint8", "shape": [0], "offset": 0, "bytes": 0},)";
    nodes += R"({"t": )" + std::to_string(i) + "},";
  }
  records.pop_back();
  nodes.pop_back();
  EXPECT_EQ(
    problem_of_header(R"({"tree": {"list": [)" + nodes + R"(]}, "tensors": [)" + records + "]}"),
    "there are more than 4096 tensors");
}

// -- what nobody thought of ---------------------------------------------------------------

TEST(values, mutations_of_a_valid_file_give_a_tree_or_a_sentence) {
  auto valid = to_bytes(tuple_of(at::ones({2, 3}), (at::arange(2) == 0), scalar{0.5},
                                 mapping{{{"key", value{at::arange(4)}}}}));
  constexpr std::string_view tokens = "0123456789-{}[]\",:.eEtf\\ \xff";
  std::mt19937_64 random{20'26};
  auto below = [&](std::size_t n) { return random() % n; };
  std::size_t trees = 0;
  std::size_t sentences = 0;
  for (int round = 0; round < 20'000; ++round) {
    auto bytes = valid;
    for (auto changes = 1 + below(4); changes > 0; --changes) {
      auto place = below(10) == 0 ? below(bytes.size()) : below(600);
      switch (below(4)) {
        case 0:
          bytes[place] = static_cast<char>(below(256));
          break;
        case 1:
          bytes[place] = tokens[below(tokens.size())];
          break;
        case 2:
          bytes.erase(place, 1 + below(8));
          break;
        default:
          bytes.insert(place, bytes.substr(below(400), below(64)));
      }
    }
    auto found = read_values(file_of(bytes).get());
    ++(found ? trees : sentences);
  }
  EXPECT_GT(trees, 100u);
  EXPECT_GT(sentences, 10'000u);
}
