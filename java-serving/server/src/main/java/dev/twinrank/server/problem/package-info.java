/** What clients are told when a request is refused: codes and problem details. */
package dev.twinrank.server.problem;
