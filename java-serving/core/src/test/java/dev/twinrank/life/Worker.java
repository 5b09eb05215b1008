package dev.twinrank.life;

/** A thread of a victim that does one thing again and again and counts how often it was done. */
final class Worker {

  /** One thing; what it throws ends the process with {@link Victim#FAILED}. */
  interface Step {
    void run() throws Exception;
  }

  private final String what;
  private final Thread thread;
  private long begun;
  private long done;
  private long underWay;
  private boolean stopping;
  private boolean ended;

  private Worker(String what, Step step) {
    this.what = what;
    this.thread = new Thread(() -> loop(step), what);
  }

  static Worker start(String what, Step step) {
    Worker worker = new Worker(what, step);
    worker.thread.start();
    return worker;
  }

  private void loop(Step step) {
    try {
      while (begin()) {
        step.run();
        finish();
      }
    } catch (Throwable e) {
      Victim.fail(what, e);
    } finally {
      end();
    }
  }

  private synchronized boolean begin() {
    if (stopping) {
      return false;
    }
    begun++;
    return true;
  }

  private synchronized void finish() {
    done++;
    notifyAll();
  }

  private synchronized void end() {
    ended = true;
    notifyAll();
  }

  /** Waits until it has done one thing more from beginning to end. */
  synchronized void awaitAnother() throws InterruptedException {
    long enough = begun + 1;
    while (done < enough && !ended) {
      wait();
    }
  }

  /** Lets it begin nothing more. */
  synchronized void stop() {
    stopping = true;
  }

  void join() throws InterruptedException {
    thread.join();
  }

  /** Remembers whether it is doing something now. */
  synchronized void look() {
    underWay = begun - done;
  }

  /** Returns what it did, how often it was in it at the look, began it, and was done. */
  synchronized String count() {
    return what + " " + underWay + " " + begun + " " + done;
  }
}
