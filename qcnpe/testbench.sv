// Sends recorded streams through the engine and compares every beat of its results with what the
// integer model computed. `qcnpe generate` writes the sizes and the vectors beside this file.
// Prints one line that begins with PASS, or ends the simulation with an error.

module vector_source #(
    parameter int BITS = 32,
    parameter int LENGTH = 1,
    parameter FILE = ""  // untyped: Icarus Verilog 11 has no parameters of type string
) (
    input  logic            clk,
    input  logic            aresetn,
    output logic [BITS-1:0] tdata,
    output logic            tvalid,
    input  logic            tready
);
    logic [BITS-1:0] words [0:LENGTH-1];
    int next = 0;

    initial $readmemh(FILE, words);
    assign tvalid = aresetn && next < LENGTH;
    assign tdata = words[tvalid ? next : 0];
    always_ff @(posedge clk) if (tvalid && tready) next <= next + 1;
endmodule

module testbench;
    `include "sizes.svh"

    logic clk = 0;
    always #5 clk = !clk;

    int cycle = 0;
    logic aresetn;
    assign aresetn = cycle >= 4;

    logic [63:0] commands;
    logic [16*ROWS-1:0] activations;
    logic [16*COLS-1:0] weights;
    logic [31:0] parameters;
    logic commands_valid, activations_valid, weights_valid, parameters_valid;
    logic commands_ready, activations_ready, weights_ready, parameters_ready;

    vector_source #(.BITS(64), .LENGTH(COMMANDS), .FILE("commands.hex")) command_source (
        .tdata(commands), .tvalid(commands_valid), .tready(commands_ready), .*);
    vector_source #(.BITS(16 * ROWS), .LENGTH(BEATS), .FILE("activations.hex")) activation_source (
        .tdata(activations), .tvalid(activations_valid), .tready(activations_ready), .*);
    vector_source #(.BITS(16 * COLS), .LENGTH(BEATS), .FILE("weights.hex")) weight_source (
        .tdata(weights), .tvalid(weights_valid), .tready(weights_ready), .*);
    vector_source #(.BITS(32), .LENGTH(PARAMETERS), .FILE("parameters.hex")) parameter_source (
        .tdata(parameters), .tvalid(parameters_valid), .tready(parameters_ready), .*);

    // A beat of results, and above it whether it ends its tile.
    logic [LANE_BITS*ROWS:0] results;
    logic [LANE_BITS*ROWS:0] expected [0:RESULTS-1];
    logic results_valid, results_ready, busy, error;
    initial $readmemh("results.hex", expected);

    `ENGINE engine (
        .aclk(clk),
        .aresetn(aresetn),
        .busy(busy),
        .error(error),
        .s_axis_commands_tdata(commands),
        .s_axis_commands_tvalid(commands_valid),
        .s_axis_commands_tready(commands_ready),
        .s_axis_activations_tdata(activations),
        .s_axis_activations_tvalid(activations_valid),
        .s_axis_activations_tready(activations_ready),
        .s_axis_weights_tdata(weights),
        .s_axis_weights_tvalid(weights_valid),
        .s_axis_weights_tready(weights_ready),
        .s_axis_parameters_tdata(parameters),
        .s_axis_parameters_tvalid(parameters_valid),
        .s_axis_parameters_tready(parameters_ready),
        .m_axis_results_tdata(results[LANE_BITS*ROWS-1:0]),
        .m_axis_results_tlast(results[LANE_BITS*ROWS]),
        .m_axis_results_tvalid(results_valid),
        .m_axis_results_tready(results_ready),
        // The register file is not used: after reset the engine is ready for its streams.
        .s_axil_awaddr({ADDRESS_BITS{1'b0}}),
        .s_axil_awprot(3'd0),
        .s_axil_awvalid(1'b0),
        .s_axil_awready(),
        .s_axil_wdata(32'd0),
        .s_axil_wstrb(4'd0),
        .s_axil_wvalid(1'b0),
        .s_axil_wready(),
        .s_axil_bresp(),
        .s_axil_bvalid(),
        .s_axil_bready(1'b0),
        .s_axil_araddr({ADDRESS_BITS{1'b0}}),
        .s_axil_arprot(3'd0),
        .s_axil_arvalid(1'b0),
        .s_axil_arready(),
        .s_axil_rdata(),
        .s_axil_rresp(),
        .s_axil_rvalid(),
        .s_axil_rready(1'b0)
    );

    int received = 0;
    assign results_ready = aresetn && cycle % 4 != 0;  // now and then the host takes nothing

    always @(posedge clk) begin
        cycle <= cycle + 1;
        if (results_valid && results_ready) begin
            if (received == RESULTS || results !== expected[received])
                $fatal(1, "FAIL: result beat %0d is %h", received, results);
            received <= received + 1;
        end
        if (received == RESULTS && !busy) begin
            if (error) $fatal(1, "FAIL: the engine halted at a bad command");
            $display("PASS: %0d result beats are those of the model", received);
            $finish;
        end
        if (cycle == TIMEOUT) $fatal(1, "FAIL: only %0d of %0d result beats", received, RESULTS);
    end
endmodule
