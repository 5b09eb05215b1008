/** Scores trees with explicit instructions for several rows at once. */
package dev.twinrank.vector;
