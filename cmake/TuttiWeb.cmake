# Writes web_files_data.cc: the files of the web page as constant arrays (src/tutti/server/web_files.h).
#
#   cmake -DSOURCE=web -DOUTPUT=web_files_data.cc -P TuttiWeb.cmake
#
# The ETag is the beginning of the SHA-256 of the content: strong, and the same in every build.
set(mime_html "text/html; charset=utf-8")
set(mime_css "text/css; charset=utf-8")
set(mime_js "text/javascript; charset=utf-8")
set(mime_svg "image/svg+xml")

set(arrays "")
set(entries "")
set(number 0)
file(GLOB names RELATIVE ${SOURCE} ${SOURCE}/*.html ${SOURCE}/*.css ${SOURCE}/*.js ${SOURCE}/*.svg)
list(SORT names)
foreach(name ${names})
  string(REGEX REPLACE ".*\\." "" ending ${name})
  file(READ ${SOURCE}/${name} bytes HEX)
  file(SHA256 ${SOURCE}/${name} hash)
  string(SUBSTRING ${hash} 0 32 hash)
  string(LENGTH "${bytes}" digits)
  math(EXPR size "${digits} / 2")
  string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
  string(APPEND arrays "constexpr char kFile${number}[] = {\n${bytes}};\n")
  if(name STREQUAL "index.html")
    set(path "/")
  elseif(ending STREQUAL "html")
    string(REGEX REPLACE "\\.html$" "" path "/${name}")
  else()
    set(path "/web/${name}")
  endif()
  string(APPEND entries "    {\"${path}\", \"${mime_${ending}}\", \"\\\"${hash}\\\"\", {kFile${number}, ${size}}},\n")
  math(EXPR number "${number} + 1")
endforeach()

file(WRITE ${OUTPUT} "// Written by cmake/TuttiWeb.cmake from web/*.
#include \"tutti/server/web_files.h\"

namespace tutti::server {
namespace {
${arrays}
constexpr WebFile kFiles[] = {
${entries}};
}  // namespace

std::span<const WebFile> WebFiles() { return kFiles; }

}  // namespace tutti::server
")
