#include "machine/debug/gdb/target_description.h"

#include <fmt/format.h>

namespace tandem::machine {

std::string describe_target(const RegisterFile &file) {
    std::string xml = fmt::format("<?xml version=\"1.0\"?>\n"
                                  "<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n"
                                  "<target version=\"1.0\">\n<architecture>{}</architecture>\n",
                                  file.architecture);
    for (const RegisterFeature &feature : file.features) {
        xml += fmt::format("<feature name=\"{}\">{}\n", feature.name, feature.types);
        for (const RegisterDescription &each : feature.registers) {
            xml += fmt::format("<reg name=\"{}\" bitsize=\"{}\" type=\"{}\"", each.name, each.bits,
                               each.type);
            if (!each.group.empty()) xml += fmt::format(" group=\"{}\"", each.group);
            xml += "/>\n";
        }
        xml += "</feature>\n";
    }
    return xml + "</target>\n";
}

} // namespace tandem::machine
