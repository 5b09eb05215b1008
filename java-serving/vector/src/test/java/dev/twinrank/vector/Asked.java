package dev.twinrank.vector;

/** Prints what another JVM lacks; a program of its own. */
final class Asked {
  private Asked() {}

  public static void main(String[] args) {
    System.out.print(new VectorKernelProvider().unavailable().orElse("nothing"));
  }
}
