package dev.twinrank.server.oip;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import dev.twinrank.core.Model;
import dev.twinrank.core.PackedBlock;
import dev.twinrank.core.RankRequest;
import dev.twinrank.server.OipRequests;
import dev.twinrank.server.OipRequests.Body;
import dev.twinrank.server.OipRequests.Form;
import dev.twinrank.server.RandomRequest;
import dev.twinrank.server.Tiny;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.OptionalInt;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What the request log keeps of a request of this protocol. */
class RawRequestTest {
  @ParameterizedTest
  @EnumSource(Form.class)
  void theKeptRequestPacksToTheSameBytes(Form form) {
    Random random = new Random(7);
    try (Model model = Tiny.open()) {
      for (int i = 0; i < 60; i++) {
        JsonNode raw = RandomRequest.of(random);
        Body body = OipRequests.of(raw, form);
        InferRequest request = InferReader.read(body.bytes(), body.header());
        Binding binding =
            new Binding(
                new Signature(model),
                request.inputs(),
                Parameters.of(request.parameters()).candidates());
        List<PackedBlock> sent =
            model.parse(raw.toString().getBytes(StandardCharsets.UTF_8)).blocks();
        RankRequest kept = model.parse(binding.raw(OptionalInt.of(3)));
        assertEquals(Math.min(3, raw.get("candidates").size()), kept.k().orElseThrow());
        for (int block = 0; block < sent.size(); block++) {
          assertEquals(sent.get(block).data(), kept.blocks().get(block).data(), raw::toString);
          assertArrayEquals(sent.get(block).shape(), kept.blocks().get(block).shape());
        }
      }
    }
  }
}
