/** The Open Inference Protocol over gRPC, and gRPC itself as far as that needs it. */
package dev.twinrank.server.oip.grpc;
