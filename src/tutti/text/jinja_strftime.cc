#include "tutti/text/jinja_strftime.h"

#include <array>
#include <ctime>

#include "tutti/base/status.h"

namespace tutti::text::jinja {
namespace {

constexpr std::array<std::string_view, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};

struct Moment {
  int year, month, day, hour, minute, second, microsecond;
  int weekday;   // 0 is Sunday
  int year_day;  // 1..366
};

bool IsLeap(int year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

int DaysBefore(int year, int month) {
  static constexpr int kBefore[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
  return kBefore[month - 1] + (month > 2 && IsLeap(year) ? 1 : 0);
}

int DaysIn(int year, int month) {
  return month == 12 ? 31 : DaysBefore(year, month + 1) - DaysBefore(year, month);
}

// Days since 1970-01-01 of the first day of a year.
int64_t YearStart(int64_t year) {
  const int64_t y = year - 1;
  return 365 * (year - 1970) + (y / 4 - y / 100 + y / 400) - 477;
}

std::optional<int> Digits(std::string_view text, size_t at, size_t count) {
  if (at + count > text.size()) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(at, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

std::optional<Moment> Parse(std::string_view now) {
  if (now.size() < 19 || now[4] != '-' || now[7] != '-' || (now[10] != 'T' && now[10] != ' ') ||
      now[13] != ':' || now[16] != ':') {
    return std::nullopt;
  }
  std::array<int, 6> parts{};
  static constexpr size_t kAt[] = {0, 5, 8, 11, 14, 17};
  for (size_t i = 0; i < 6; ++i) {
    const auto part = Digits(now, kAt[i], i == 0 ? 4 : 2);
    if (!part) return std::nullopt;
    parts[i] = *part;
  }
  Moment m{parts[0], parts[1], parts[2], parts[3], parts[4], parts[5], 0, 0, 0};
  if (now.size() > 19) {
    if (now[19] != '.' || now.size() > 26) return std::nullopt;
    const auto fraction = Digits(now, 20, now.size() - 20);
    if (!fraction || now.size() == 20) return std::nullopt;
    m.microsecond = *fraction;
    for (size_t digits = now.size() - 20; digits < 6; ++digits) m.microsecond *= 10;
  }
  if (m.year < 1 || m.month < 1 || m.month > 12 || m.day < 1 || m.day > DaysIn(m.year, m.month) ||
      m.hour > 23 || m.minute > 59 || m.second > 60) {
    return std::nullopt;
  }
  m.year_day = DaysBefore(m.year, m.month) + m.day;
  m.weekday = static_cast<int>(((YearStart(m.year) + m.year_day - 1 + 4) % 7 + 7) % 7);
  return m;
}

// ISO 8601: weeks start on Monday, the first one holds the year's first Thursday.
void IsoWeek(const Moment& m, int& year, int& week) {
  const int weekday = m.weekday == 0 ? 7 : m.weekday;
  year = m.year;
  week = (m.year_day - weekday + 10) / 7;
  const auto weeks_of = [](int y) {
    const auto first = static_cast<int>(((YearStart(y) + 4) % 7 + 7) % 7);
    return first == 4 || (first == 3 && IsLeap(y)) ? 53 : 52;
  };
  if (week < 1)
    week = weeks_of(--year);
  else if (week > weeks_of(year)) {
    week = 1;
    ++year;
  }
}

std::string Two(int value) { return fmt::format("{:02}", value); }
std::string Blank(int value) { return fmt::format("{:2}", value); }

// Days, weeks, months and years; empty for other codes.
std::string DateField(const Moment& m, char code) {
  const std::string_view day = kDays[static_cast<size_t>(m.weekday)];
  const std::string_view month = kMonths[static_cast<size_t>(m.month - 1)];
  int iso_year = 0;
  int iso_week = 0;
  IsoWeek(m, iso_year, iso_week);
  switch (code) {
    case 'a':
      return std::string(day.substr(0, 3));
    case 'A':
      return std::string(day);
    case 'b':
    case 'h':
      return std::string(month.substr(0, 3));
    case 'B':
      return std::string(month);
    case 'C':
      return Two(m.year / 100);
    case 'd':
      return Two(m.day);
    case 'D':
    case 'x':
      return Two(m.month) + "/" + Two(m.day) + "/" + Two(m.year % 100);
    case 'e':
      return Blank(m.day);
    case 'F':
      return fmt::format("{}-{:02}-{:02}", m.year, m.month, m.day);
    case 'G':
      return fmt::format("{}", iso_year);
    case 'g':
      return Two(iso_year % 100);
    case 'j':
      return fmt::format("{:03}", m.year_day);
    case 'm':
      return Two(m.month);
    case 'u':
      return fmt::format("{}", m.weekday == 0 ? 7 : m.weekday);
    case 'U':
      return Two((m.year_day + 6 - m.weekday) / 7);
    case 'V':
      return Two(iso_week);
    case 'w':
      return fmt::format("{}", m.weekday);
    case 'W':
      return Two((m.year_day + 6 - (m.weekday + 6) % 7) / 7);
    case 'y':
      return Two(m.year % 100);
    case 'Y':
      return fmt::format("{}", m.year);
    default:
      return {};
  }
}

std::string Field(const Moment& m, char code) {
  const int hour12 = m.hour % 12 == 0 ? 12 : m.hour % 12;
  const std::string minutes = Two(m.minute);
  const std::string seconds = Two(m.second);
  const std::string clock = Two(m.hour) + ":" + minutes + ":" + seconds;
  switch (code) {
    case 'c':
      return DateField(m, 'a') + " " + DateField(m, 'b') + " " + Blank(m.day) + " " + clock + " " +
             DateField(m, 'Y');
    case 'f':
      return fmt::format("{:06}", m.microsecond);
    case 'H':
      return Two(m.hour);
    case 'I':
      return Two(hour12);
    case 'k':
      return Blank(m.hour);
    case 'l':
      return Blank(hour12);
    case 'M':
      return minutes;
    case 'n':
      return "\n";
    case 'p':
      return m.hour < 12 ? "AM" : "PM";
    case 'P':
      return m.hour < 12 ? "am" : "pm";
    case 'r':
      return Two(hour12) + ":" + minutes + ":" + seconds + (m.hour < 12 ? " AM" : " PM");
    case 'R':
      return Two(m.hour) + ":" + minutes;
    case 'S':
      return seconds;
    case 't':
      return "\t";
    case 'T':
    case 'X':
      return clock;
    case 'z':
    case 'Z':
      return {};  // the clock has no zone
    case '%':
      return "%";
    default:
      break;
  }
  const std::string date = DateField(m, code);
  return date.empty() ? std::string("%") + code : date;
}

}  // namespace

std::optional<std::string> FormatTime(std::string_view now, std::string_view format) {
  const std::optional<Moment> moment = Parse(now);
  if (!moment) return std::nullopt;
  std::string out;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 >= format.size()) {
      out += format[i];
      continue;
    }
    char code = format[++i];
    // glibc's flag for numbers without padding.
    const bool bare = code == '-' && i + 1 < format.size();
    if (bare) code = format[++i];
    std::string field = Field(*moment, code);
    if (bare) {
      const size_t first = field.find_first_not_of("0 ");
      field = first == std::string::npos ? "0" : field.substr(first);
    }
    out += field;
  }
  return out;
}

}  // namespace tutti::text::jinja
