/**
 * The Open Inference Protocol, version 2: tensors, their binding to a model's features, and HTTP.
 */
package dev.twinrank.server.oip;
