/** Publishes what a twinrank model counts and times in a Micrometer registry. */
package dev.twinrank.micrometer;
