/**
 * A load driver: it sends at a fixed rate, whatever the server does, times every answer from the
 * moment at which its request was due, and holds the answer against what it must be.
 */
package dev.twinrank.load;
