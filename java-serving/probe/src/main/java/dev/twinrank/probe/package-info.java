/**
 * The probe protocol of the contract (section 12): {@link dev.twinrank.probe.Testee} answers
 * frames, {@link dev.twinrank.probe.ProbeMain} carries them over stdin and stdout.
 */
package dev.twinrank.probe;
