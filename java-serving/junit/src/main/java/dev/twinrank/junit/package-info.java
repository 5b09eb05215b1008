/** A contract test to subclass: {@link dev.twinrank.junit.ScorerContractTest}. */
package dev.twinrank.junit;
