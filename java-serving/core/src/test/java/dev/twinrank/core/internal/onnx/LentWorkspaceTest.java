package dev.twinrank.core.internal.onnx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.Workspace;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

class LentWorkspaceTest {

  /** Does something to its lender in the middle of a run, as another thread would. */
  private static final class Stub implements Workspace {
    private Runnable meanwhile = () -> {};
    private int runs;
    private int closes;

    @Override
    public void resize(int candidates) {}

    @Override
    public int candidates() {
      return 0;
    }

    @Override
    public ByteBuffer input(int index) {
      return null;
    }

    @Override
    public ByteBuffer output(int index) {
      return null;
    }

    @Override
    public void run(Stop stop) {
      runs++;
      meanwhile.run();
      assertEquals(0, closes, "closed under its run");
    }

    @Override
    public long bytes() {
      return 0;
    }

    @Override
    public void close() {
      closes++;
    }
  }

  private final Stub stub = new Stub();
  private final LentWorkspace lent = new LentWorkspace(stub);

  @Test
  void workspaceThatIsGivenBackIsLentAgainAndTheOldLoanIsOver() throws GraphFailure {
    lent.resize(1);
    lent.run(null);
    assertSame(stub, lent.takeBack());
    assertNull(lent.takeBack());
    assertThrows(IllegalStateException.class, () -> lent.run(null));
    assertThrows(IllegalStateException.class, () -> lent.resize(2));
    lent.close();
    assertEquals(0, stub.closes);
  }

  @Test
  void secondUseAtTheSameTimeIsRefusedAndTheFirstGoesOn() throws GraphFailure {
    stub.meanwhile =
        () -> {
          String detail =
              assertThrows(IllegalStateException.class, () -> lent.resize(2)).getMessage();
          assertTrue(detail.contains("another thread"), detail);
          assertThrows(IllegalStateException.class, () -> lent.run(null));
        };
    lent.run(null);
    assertEquals(1, stub.runs);
    assertSame(stub, lent.takeBack());
  }

  @Test
  void workspaceThatIsGivenBackUnderItsRunIsClosedByThatRunAndNotLentAgain() throws GraphFailure {
    stub.meanwhile =
        () -> {
          assertNull(lent.takeBack());
          lent.close();
        };
    lent.run(null);
    assertEquals(1, stub.closes);
    assertThrows(IllegalStateException.class, () -> lent.run(null));
  }
}
