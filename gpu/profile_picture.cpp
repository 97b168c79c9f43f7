#include "gpu/profile_picture.hpp"

#include "gpu/bottleneck.hpp"
#include "messages/markup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace lathe::gpu {

namespace {

// All in pixels.
constexpr double width = 960;
constexpr double margin = 60;
constexpr double inner = width - 2 * margin;
constexpr double lane_height = 26;
constexpr double roof_height = 320;

// Groups with a colour and a line in the legend of their own; the others share the last.
constexpr const char* colours[] = {"#4269d0", "#efb118", "#ff725c", "#6cc5b0",
                                   "#3ca951", "#a463f2", "#97bbf5", "#9498a0"};
constexpr std::size_t last_colour = std::size(colours) - 1;

// Bars narrower than that are drawn as wide, and no more of them than anybody could tell apart.
constexpr double narrowest = 0.5;
constexpr std::size_t most_bars = 5'000;

std::string text_at(double x, double y, const std::string& text, const char* attributes = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", x, y, attributes,
                     escaped(text));
}

std::string line(double x1, double y1, double x2, double y2, const char* attributes) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" {}/>\n", x1, y1,
                     x2, y2, attributes);
}

/// Where a drawing goes on, downwards.
struct page {
  std::string content;
  double y = 0;
};

// -- the timeline -----------------------------------------------------------------------

void draw_timeline(page& p, const call_profile& x) {
  auto groups = group_events(x);
  std::map<std::string, std::size_t> colour;
  for (auto& g : groups)
    colour.emplace(g.first->key(), std::min(colour.size(), last_colour));
  std::map<std::int64_t, std::size_t> lanes;
  double end = x.seconds;
  double in_turn = 0;
  for (auto& e : x.events) {
    lanes.emplace(e.stream, lanes.size());
    in_turn += e.seconds;
    end = std::max(end, x.on_gpu() ? e.start + e.seconds : in_turn);
  }
  if (end <= 0)
    return;
  in_turn = 0;
  std::size_t drawn = 0;
  for (auto& e : x.events) {
    auto start = x.on_gpu() ? e.start : in_turn;
    in_turn += e.seconds;
    if (drawn++ == most_bars)
      break;
    p.content += fmt::format(
      "<rect x=\"{:.2f}\" y=\"{:.1f}\" width=\"{:.2f}\" height=\"{:.1f}\" fill=\"{}\"><title>{}, "
      "{:.3g} us</title></rect>\n",
      margin + inner * start / end, p.y + lane_height * static_cast<double>(lanes[e.stream]),
      std::max(narrowest, inner * e.seconds / end), lane_height - 4, colours[colour[e.key()]],
      escaped(e.label()), 1e6 * e.seconds);
  }
  p.y += lane_height * static_cast<double>(lanes.size());
  p.content += line(margin, p.y, margin + inner, p.y, "class=\"axis\"");
  for (int i = 0; i <= 4; ++i)
    p.content += text_at(margin + inner * i / 4, p.y + 16, fmt::format("{:.3g} ms", 250 * i * end),
                         "text-anchor=\"middle\"");
  p.y += 40;
  for (std::size_t i = 0; i < std::min(groups.size(), last_colour + 1); ++i) {
    auto rest = i == last_colour && groups.size() > i + 1;
    double seconds = 0;
    for (auto j = i; j < (rest ? groups.size() : i + 1); ++j)
      seconds += groups[j].seconds;
    p.content +=
      fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"12\" height=\"12\" fill=\"{}\"/>\n",
                  margin, p.y - 10, colours[i]);
    p.content += text_at(margin + 20, p.y,
                         fmt::format("{:.0f} %  {}", 100 * seconds / busy_time(x),
                                     rest ? "all others" : groups[i].first->label()));
    p.y += 18;
  }
}

// -- the roofline -----------------------------------------------------------------------

void draw_roofline(page& p, const call_profile& x) {
  auto bytes = x.work.inputs + x.work.parameters + x.work.outputs;
  if (!x.peaks || bytes <= 0 || x.work.operations <= 0 || x.seconds <= 0)
    return;
  auto intensity = x.work.operations / bytes;
  auto reached = x.work.operations / x.seconds;
  auto& peaks = *x.peaks;
  // Decades that hold the point and the knees.
  auto left = std::floor(std::log10(std::min(intensity, 1.0)));
  auto right = std::ceil(std::log10(std::max(intensity, peaks.half / peaks.bandwidth) * 4));
  auto top = std::ceil(std::log10(peaks.half));
  auto bottom = std::floor(std::log10(std::min(reached, peaks.bandwidth * std::pow(10, left))));
  auto across = [&](double value) {
    return margin + inner * (std::log10(value) - left) / (right - left);
  };
  auto down = [&](double value) {
    return p.y + roof_height * (top - std::log10(value)) / (top - bottom);
  };
  for (auto decade = left; decade <= right; ++decade) {
    auto at = across(std::pow(10, decade));
    p.content += line(at, p.y, at, p.y + roof_height, "class=\"grid\"");
    p.content += text_at(at, p.y + roof_height + 16, fmt::format("{:g}", std::pow(10, decade)),
                         "text-anchor=\"middle\"");
  }
  p.content += text_at(margin + inner / 2, p.y + roof_height + 34, "operations for each byte",
                       "text-anchor=\"middle\"");
  std::pair<const char*, double> roofs[] = {
    {"float32", peaks.float32}, {"TF32", peaks.tf32}, {"half types", peaks.half}};
  double below = 0;
  for (auto& [name, peak] : roofs) {
    if (peak < 1.05 * std::exchange(below, peak))
      continue; // a CPU knows no TF32
    auto knee = peak / peaks.bandwidth;
    p.content += line(across(knee), down(peak), margin + inner, down(peak), "class=\"roof\"");
    p.content +=
      text_at(margin + inner - 4, down(peak) - 4,
              fmt::format("{} {}", name, format_rate(peak, "op/s")), "text-anchor=\"end\"");
  }
  auto foot = std::pow(10, left);
  p.content += line(across(foot), down(foot * peaks.bandwidth),
                    across(peaks.half / peaks.bandwidth), down(peaks.half), "class=\"roof\"");
  p.content += text_at(across(foot) + 6, down(foot * peaks.bandwidth) - 8,
                       "memory " + format_rate(peaks.bandwidth, "B/s"));
  p.content += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"6\" fill=\"{}\"/>\n",
                           across(intensity), down(reached), colours[2]);
  p.content += text_at(across(intensity) + 10, down(reached) + 4,
                       "this call: " + format_rate(reached, "op/s"));
  p.y += roof_height + 50;
}

} // namespace

std::string draw_profile(const call_profile& x, const std::string& title) {
  page p;
  p.y = 30;
  p.content += text_at(margin, p.y, title, "class=\"title\"");
  if (auto found = diagnose(x); !found.empty()) {
    p.y += 24;
    p.content +=
      text_at(margin, p.y, fmt::format("{}: {}", to_string(found[0].what), found[0].evidence));
  }
  p.y += 24;
  draw_timeline(p, x);
  p.y += 30;
  draw_roofline(p, x);
  return fmt::format(
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" "
    "height=\"{1:.0f}\">\n"
    "<style>text {{ font: 12px sans-serif; fill: #222 }} .title {{ font: bold 16px sans-serif }} "
    ".axis {{ stroke: #222 }} .grid {{ stroke: #ddd }} .roof {{ stroke: #222; stroke-width: 1.5 }}"
    "</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{2}</svg>\n",
    width, p.y, p.content);
}

} // namespace lathe::gpu
