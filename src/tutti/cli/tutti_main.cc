// The program `tutti`; everything is in cli/command.h.
#include "tutti/cli/command.h"

int main(int argc, char** argv) { return tutti::cli::Main(argc, argv); }
