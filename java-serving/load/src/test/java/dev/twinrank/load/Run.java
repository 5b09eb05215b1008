package dev.twinrank.load;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import picocli.CommandLine;

/** A run of the driver as a person starts it: exit status, what it says, and the report. */
record Run(int status, String said, JsonNode report) {
  static Run of(String... arguments) throws IOException {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    CommandLine line =
        LoadMain.commandLine().setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
    int status = line.execute(arguments);
    return new Run(status, err.toString(), new ObjectMapper().readTree(out.toString()));
  }

  JsonNode phase(String name) {
    for (JsonNode phase : report.get("phases")) {
      if (phase.get("name").asText().equals(name)) {
        return phase;
      }
    }
    throw new AssertionError("no phase " + name + " in " + report);
  }
}
